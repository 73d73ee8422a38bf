import assert from 'node:assert/strict';
import { resolve } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { type Ended, endPrograms, startProgram } from '../fixtures/faults/program.ts';
import { type OtlpSink, startSink } from '../helpers/otlp-sink.ts';

let sink: OtlpSink;

before(async () => {
  sink = await startSink();
});
after(async () => {
  endPrograms();
  await sink.down();
});

/** Longest flush of a process whose agent is gone, ms: less than the flush's own limit of a second. */
const QUICK_MS = 800;
const JOBS = 300;

interface Fault {
  readonly agent: string;
  readonly part?: string;
  readonly env?: Record<string, string>;
  /** What standard error says when the fault has happened. */
  readonly told: RegExp;
}

const AGENT = {
  OTEL_METRIC_EXPORT_INTERVAL: '100',
  TASKWARDEN_STORE_STEP: '100ms',
};

/** Runs jobs before and after a fault; their results and the end of the process must be what they are without it. */
async function work({ agent, part = '', told, env = {} }: Fault): Promise<Ended> {
  const program = startProgram('steady.ts', {
    before: ['swap-agent.ts'],
    env: {
      FAULTY_AGENT: agent,
      FAULTY_PART: part,
      OTEL_SERVICE_NAME: `${agent}-${part}`,
      OTEL_EXPORTER_OTLP_ENDPOINT: sink.url,
      ...AGENT,
      ...env,
    },
  });
  program.tell(`run ${JOBS}`);
  await program.line('ran');
  await program.stderr(told);
  program.tell(`run ${JOBS}`);
  program.tell('end');
  const ended = await program.ended;
  assert.equal(ended.code, 0, ended.stderr);
  assert.deepEqual(ended.lines.slice(1, 3), [
    { ran: JOBS, wrong: 0 },
    { ran: 2 * JOBS, wrong: 0 },
  ]);
  return ended;
}

const count = (text: string, what: RegExp): number => [...text.matchAll(new RegExp(what, 'g'))].length;

describe('a fault of the agent does not reach the jobs', { concurrency: 3 }, () => {
  for (const [agent, told, what] of [
    ['throws', /fault in agent thread/, 'its thread cannot be loaded'],
    ['dies', /fault in agent thread/, 'an error ends its thread'],
    ['leaves', /fault in agent thread.*ended by itself/, 'its thread ends by itself'],
  ] as const)
    test(what, async () => {
      const { stderr, lines } = await work({ agent, told });
      assert.equal(count(stderr, told), 1, stderr);
      assert.ok((lines.at(-1)?.exitMs as number) < QUICK_MS, 'nobody waits for one who is gone');
    });

  test('its thread cannot be loaded, and rules of the user were to be checked by it', async () => {
    const { stderr } = await work({
      agent: 'throws',
      told: /fault in agent thread/,
      env: { TASKWARDEN_RULES: resolve(import.meta.dirname, '../fixtures/faults/fast.rules.yaml') },
    });
    assert.match(stderr, /the rule files could not be checked/);
  });

  for (const [part, counted] of [
    ['ingest', 'ingest'],
    ['evidence', 'ingest'],
    ['task', 'ingest'],
    ['inbox', 'inbox'],
    ['memory', 'memory'],
    ['vitals', 'vitals'],
    ['watchdog', 'watchdog'],
    ['rules', 'rules'],
    ['store', 'rules'],
    ['export', 'export'],
  ] as const)
    test(`${part} throws: counted and told once, the other parts go on`, async () => {
      const told = new RegExp(`fault in ${counted}, jobs are not affected: Error: thrown on purpose`);
      const { stderr } = await work({ agent: 'part', part, told });
      assert.equal(count(stderr, told), 1, stderr);
      assert.equal(count(stderr, /fault in/), 1, stderr);
      const own = sink.metrics.filter(({ resource }) => resource['service.name'] === `part-${part}`);
      const last = (name: string, attributes: object): number | undefined =>
        own.findLast((point) => {
          const entries = Object.entries(attributes);
          return point.name === name && entries.every(([key, value]) => point.attributes[key] === value);
        })?.value;
      const spans = sink.spans.filter(({ resource }) => resource['service.name'] === `part-${part}`);
      if (part === 'export') {
        assert.equal(spans.length, 2 * JOBS, 'the spans have another way');
        return;
      }
      assert.ok(last('taskwarden.errors', { part: counted })! > 0, 'it is counted');
      assert.ok(last('process.uptime', {})! > 0, 'others are read and exported');
      if (part !== 'ingest' && part !== 'inbox' && part !== 'task')
        assert.equal(last('task.runs', { 'task.name': 'double', 'task.outcome': 'success' }), 1.8 * JOBS);
    });
});

test('a state folder that cannot be used is told in one line, and is no fault', async () => {
  const program = startProgram('steady.ts', {
    env: {
      ...AGENT,
      OTEL_SERVICE_NAME: 'no-state',
      OTEL_EXPORTER_OTLP_ENDPOINT: sink.url,
      TASKWARDEN_STATE_DIR: import.meta.filename,
    },
  });
  program.tell(`run ${JOBS}`);
  program.tell('hold');
  const own = () => sink.metrics.filter(({ resource }) => resource['service.name'] === 'no-state');
  // All that looks for the folder has done so by then.
  await sink.waitFor(() => own().filter(({ name }) => name === 'process.uptime').length >= 10);
  program.tell('end');
  const { code, stderr } = await program.ended;
  assert.equal(code, 0);
  assert.match(stderr, /^taskwarden: ENOTDIR: .*: runs in flight do not outlive .*TASKWARDEN_STATE_DIR.*\n$/);
  const faults = own().filter(({ name, value }) => name === 'taskwarden.errors' && value > 0);
  assert.deepEqual(faults, []);
});
