import assert from 'node:assert/strict';
import { once } from 'node:events';
import { resolve } from 'node:path';
import { describe, test } from 'node:test';
import { lastPoints } from '../fixtures/bullmq/run.ts';
import { EXACT } from '../helpers/main-side.ts';
import { startSink } from '../helpers/otlp-sink.ts';
import { type Program, startProgram } from '../helpers/worker.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const FIXTURE = resolve(import.meta.dirname, '../fixtures/metering/strange.ts');
const RESULTS = ['loaded', null, null, 'returned', null, null];
/** What the loop adds to a task, s. */
const SLACK = 0.03;
/** A machine with ten programs for each CPU is not what this is about. */
const [LEAST_SHARE, MOST_SHARE] = [0.6, 2];
const QUIET = ['--disable-warning=SecurityWarning', '--disable-warning=ExperimentalWarning'];

interface Way {
  /** Of Node.js. */
  readonly flags?: readonly string[];
  readonly mode?: string;
  /** Whether CPU time is told by run, without waiting for a CPU. */
  readonly isTold?: boolean;
}

const WAYS: Readonly<Record<string, Way>> = {
  'exact mode': {},
  samples: { mode: 'sampled', isTold: false },
  'frozen intrinsics': { flags: ['--frozen-intrinsics'] },
  'no right to read beyond the program': {
    flags: ['--permission', '--allow-worker', `--allow-fs-read=${ROOT}/*`],
    isTold: false,
  },
};

async function run(
  { flags = [], mode = 'exact' }: Way,
  args: readonly string[] = [],
  meanwhile: (program: Program) => Promise<void> = async () => {},
) {
  const sink = await startSink();
  const env = {
    TASKWARDEN_CPU_MODE: mode,
    TASKWARDEN_CPU_BUDGET: '1',
    TASKWARDEN_STATE_DIR: 'off',
    OTEL_METRIC_EXPORT_INTERVAL: '500',
  };
  const program = startProgram(FIXTURE, { sink, env, args, before: [...QUIET, ...flags] });
  await meanwhile(program);
  await program.said('results');
  const sum = (name: string, attributes: Record<string, string>): number =>
    lastPoints(sink, name, attributes).reduce((total, { value }) => total + value, 0);
  await sink.waitFor(() => sum('task.runs', {}) >= RESULTS.length + args.length);
  program.tell('end');
  const ended = await program.ended;
  await sink.down();
  assert.equal(ended.code, 0, ended.stderr);
  const { spent, results } = JSON.parse(ended.stdout) as {
    spent: Record<string, number>;
    results: unknown[];
  };
  return {
    ...ended,
    results,
    /** Seconds of CPU of a task: what is told, and what is true. */
    cpu: (task: string) => sum('task.cpu.time', { 'task.name': task }),
    truth: (...names: string[]) => names.reduce((total, name) => total + (spent[name] ?? 0) / 1000, 0),
    unattributed: sum('taskwarden.worker.cpu.unattributed', { kind: 'no_task' }),
    runs: sum('task.runs', {}),
  };
}

describe('handlers that do what few do', { concurrency: 2 }, () => {
  for (const [name, { isTold = true, ...way }] of Object.entries(WAYS)) {
    test(`${name}: all goes as without Taskwarden, and CPU time is whose it is`, async () => {
      const { stderr, results, runs, cpu, truth, unattributed } = await run(way);
      assert.doesNotMatch(stderr, /fault|error/i);
      assert.deepEqual(results, RESULTS);
      assert.equal(runs, 6, 'of seven one does not end');
      if (!EXACT || !isTold) return;
      for (const task of ['thenable', 'flood', 'inner', 'outer']) {
        const [told, known] = [cpu(task), truth(task)];
        assert.ok(
          told >= LEAST_SHARE * known && told <= MOST_SHARE * known + SLACK,
          `${task}: ${told} s of ${known} s`,
        );
      }
      for (const task of ['bystander', 'detached']) assert.ok(cpu(task) < SLACK, `${task}: ${cpu(task)} s`);
      const nobodys = truth('nobody', 'left behind');
      assert.ok(unattributed >= LEAST_SHARE * nobodys, `unattributed: ${unattributed} s of ${nobodys} s`);
    });
  }

  test('a debugger that holds the program for a while takes no CPU time', async () => {
    const heldMs = 400;
    const { results, cpu, truth } = await run(
      { flags: ['--inspect=127.0.0.1:0'] },
      ['debugged'],
      async (program) => {
        const listening = (): string | undefined => /ws:\/\/\S+/.exec(program.stderr())?.[0];
        while (listening() === undefined) await once(program.child.stderr!, 'data');
        const socket = new WebSocket(listening()!);
        await once(socket, 'open');
        const paused = new Promise<void>((done) => {
          socket.addEventListener('message', ({ data }) => {
            if (String(data).includes('"Debugger.paused"')) done();
            if (String(data).startsWith('{"id":1,')) program.tell('go');
          });
        });
        socket.send(JSON.stringify({ id: 1, method: 'Debugger.enable' }));
        await paused;
        await new Promise((later) => setTimeout(later, heldMs));
        socket.send(JSON.stringify({ id: 2, method: 'Debugger.resume' }));
        // A session that stays open would keep the program from its end.
        socket.close();
      },
    );
    assert.deepEqual(results, [...RESULTS, null]);
    if (EXACT)
      assert.ok(cpu('debugged') < truth('debugged') + (SLACK + heldMs / 1000) / 2, `${cpu('debugged')} s`);
  });
});
