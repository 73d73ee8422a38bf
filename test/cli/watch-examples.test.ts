import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { suite, test } from 'node:test';
import { Redis } from 'ioredis';
import { parse } from 'yaml';
import { CLI } from '../helpers/built.ts';
import { startSink } from '../helpers/otlp-sink.ts';
import { startRedis } from '../helpers/redis.ts';
import { startServer } from '../helpers/server-process.ts';

const DOC = readFileSync(resolve(import.meta.dirname, '../../docs/asynq.md'), 'utf8');

const LEASE = 'taskwarden:lease:{asynq:asynq}';

interface Example {
  readonly command: string;
  readonly env: Readonly<Record<string, string>>;
}

/** The indented block of the documentation that begins with this line. */
function block(first: string): string {
  const lines = DOC.split('\n');
  const from = lines.indexOf(`    ${first}`);
  assert.ok(from >= 0, `docs/asynq.md has no block that begins with ${first}`);
  const upto = lines.findIndex((line, at) => at > from && line !== '' && !line.startsWith('    '));
  return lines
    .slice(from, upto)
    .map((line) => line.slice(4))
    .join('\n');
}

function compose(): Example {
  const { taskwarden } = parse(block('services:')).services;
  assert.equal(taskwarden.pid, 'service:worker');
  return { command: taskwarden.command, env: taskwarden.environment };
}

function systemd(): Example {
  const lines = block('[Unit]').split('\n');
  const of = (name: string) =>
    lines.flatMap((line) => (line.startsWith(`${name}=`) ? [line.slice(name.length + 1)] : []));
  assert.deepEqual(of('ExecReload'), ['/bin/kill -HUP $MAINPID']);
  const env = Object.fromEntries(of('Environment').map((each) => each.split(/=(.*)/s).slice(0, 2)));
  return { command: of('ExecStart')[0]!.replace('/usr/bin/', ''), env };
}

suite('the examples of docs/asynq.md watch, read rules again and end as they should', {
  concurrency: 2,
}, () => {
  for (const [name, example] of Object.entries({ compose, systemd })) {
    test(name, async (t) => {
      const server = await startRedis();
      const redis = new Redis(server.url);
      const sink = await startSink();
      await redis.sadd('asynq:queues', 'reports');
      await redis.lpush('asynq:{reports}:pending', 'a', 'b');
      const { command, env } = example();
      const [npx, yes, program, ...args] = command.split(' ');
      assert.deepEqual([npx, yes, program], ['npx', '--yes', 'taskwarden']);
      const own = args.map((arg) => arg.replace(/^redis:\/\/[^/]+\/0$/, `${server.url}/0`));
      assert.notDeepEqual(own, args);
      assert.match(env.OTEL_EXPORTER_OTLP_ENDPOINT!, /^http:\/\/[\w.]+:4318$/);
      const watch = startServer(process.execPath, [CLI, ...own], {
        ...env,
        HOME: process.env.HOME ?? '',
        OTEL_EXPORTER_OTLP_ENDPOINT: sink.url,
        OTEL_METRIC_EXPORT_INTERVAL: '500',
        NODE_NO_WARNINGS: '1',
      });
      t.after(async () => {
        await watch.stop('SIGKILL');
        redis.disconnect();
        await sink.down();
        await server.stop();
      });
      const ready = await sink.waitFor(
        () =>
          sink.metrics.find(
            ({ name: metric, attributes }) =>
              metric === 'queue.depth' && attributes['queue.state'] === 'ready',
          ),
        30_000,
      );
      assert.equal(ready.attributes['messaging.destination.name'], 'reports');
      assert.equal(ready.resource['service.name'], env.OTEL_SERVICE_NAME);
      assert.ok((await redis.pttl(LEASE)) > 1);
      process.kill(watch.pid, 'SIGHUP');
      await watch.stop('SIGTERM');
      assert.ok(
        (await redis.pttl(LEASE)) <= 1,
        'a reload does not end it, and SIGTERM has it give its lease back',
      );
    });
  }
});
