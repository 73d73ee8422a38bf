/** BENCH_RUNS runs that leave a handle of each kind behind, or their job object, among as many that do not; and what is found of it. */
import { once } from 'node:events';
import http from 'node:http';
import net, { type AddressInfo } from 'node:net';
import { setTimeout as promised } from 'node:timers/promises';
import { replaceMethod } from '../../src/instrument/patch.ts';
import { watchTimers } from '../../src/instrument/timers.ts';
import { Duplicates } from '../../src/tasks/meters/duplicates.ts';
import { meterGc } from '../../src/tasks/meters/gc.ts';
import { HandleMeter } from '../../src/tasks/meters/handles.ts';
import { JobSample } from '../../src/tasks/meters/jobs.ts';
import { Tally } from '../../src/tasks/tally.ts';
import { mainSide, runInfo } from '../../test/helpers/main-side.ts';

const runs = Number(process.env.BENCH_RUNS);
const CONCURRENCY = 10;
const GRACE_MS = 1000;
/** The sample takes at most so many of a task at a time. */
const JOBS_OF_TASK = 100;

const tally = new Tally();
const handles = new HandleMeter({
  graceMs: GRACE_MS,
  tally,
  replace: replaceMethod,
  onDropped: () => {
    throw new Error('more handles than are looked after');
  },
  onError: (error) => {
    throw error;
  },
});
const { shared } = mainSide();
const sample = new JobSample(shared, tally);
const jobs = { sample, duplicates: new Duplicates(), tally };
const { tasks, outbox, drain, tallies } = mainSide({ tasks: { handles, jobs } });
const stops = [
  handles.start(),
  watchTimers({ graceMs: GRACE_MS, opened: (run, timer) => handles.opened(run, timer, 'timer') }),
  meterGc(shared),
];

const raw = net.createServer((socket) => socket.on('error', () => {})).listen(0);
const web = http.createServer((_, response) => response.end('ok')).listen(0);
await Promise.all([once(raw, 'listening'), once(web, 'listening')]);
const portOf = (server: net.Server): number => (server.address() as AddressInfo).port;

const kept: object[] = [];
const connect = (): net.Socket => net.connect(portOf(raw), '127.0.0.1');
const socket = async (): Promise<net.Socket> => {
  const opened = connect();
  await once(opened, 'connect');
  return opened;
};

/** Ways to leave something open, by kind; each is another task. */
const LEAVES: Readonly<Record<string, readonly (() => unknown)[]>> = {
  socket: [socket, () => void connect(), () => void new net.Socket().connect(portOf(raw), '127.0.0.1')],
  timer: [
    () => void setInterval(() => {}, 10),
    () => void setTimeout(() => {}, 1e6),
    () => void promised(1e6),
    async () => {
      await promised(1);
      setInterval(() => {}, 1e6);
    },
  ],
};
const LEAVES_NOTHING: Readonly<Record<string, readonly (() => unknown)[]>> = {
  socket: [
    async () => (await socket()).destroy(),
    async () => (await fetch(`http://127.0.0.1:${portOf(web)}/`)).text(),
  ],
  timer: [
    () => clearInterval(setInterval(() => {}, 10)),
    () => promised(1),
    () => clearTimeout(setTimeout(() => {}, 1e6)),
    () => void setTimeout(() => {}, 5),
  ],
};

async function have(count: number, task: (i: number) => string, call: (i: number) => unknown): Promise<void> {
  let next = 0;
  const one = async (): Promise<void> => {
    while (next < count) {
      const i = next++;
      const job = { id: i };
      const describe = () => runInfo({ task: task(i), jobId: '', job });
      await tasks.run(describe, () => (task(i).startsWith('keeps') ? kept.push(job) : call(i)));
      if (i % 100 === 0) drain();
    }
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, one));
}

function counted(task: string, name: string): number {
  tally.flush(outbox);
  drain();
  let sum = 0;
  for (const [key, count] of tallies)
    if (key.startsWith(`${task}-`) && key.endsWith(` ${name}`)) sum += count;
  return sum;
}

const report = (line: object): void =>
  void process.stdout.write(`${JSON.stringify({ event: 'found', ...line })}\n`);

for (const kind of ['socket', 'timer']) {
  const [leave, nothing] = [LEAVES[kind]!, LEAVES_NOTHING[kind]!];
  await have(
    runs,
    () => `leaves-${kind}`,
    (i) => leave[i % leave.length]!(),
  );
  await have(
    runs,
    () => `tidy-${kind}`,
    (i) => nothing[i % nothing.length]!(),
  );
  handles.check(performance.now() + 10 * GRACE_MS);
  report({ kind, found: counted('leaves', kind), there: runs, wrong: counted('tidy', kind) });
}

for (let at = 0; at < runs; at += JOBS_OF_TASK) {
  await have(
    2 * JOBS_OF_TASK,
    (i) => (i % 2 === 0 ? `keeps-${at}` : `lets-go-${at}`),
    () => {},
  );
  for (let i = 0; i < 5; i++) {
    sample.check();
    (gc as () => void)();
    await new Promise((later) => setTimeout(later, 5));
  }
  sample.check();
}
report({
  kind: 'job',
  found: counted('keeps', 'jobs_retained'),
  there: kept.length,
  wrong: counted('lets-go', 'jobs_retained'),
});
for (const stop of stops) stop();
process.exit();
