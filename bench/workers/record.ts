// What the main thread pays to show a run in the table and to hand its record over, and what handing the same over as a message costs.
import { MessageChannel, receiveMessageOnPort } from 'node:worker_threads';
import { type FinishedRun, Outbox } from '../../src/bridge/outbox.ts';
import { createShared, I32 } from '../../src/bridge/protocol.ts';
import { report } from './report.js';

const BATCH = 500;
const WARM_UP = 40;
const ROUNDS = Number(process.env.BENCH_ROUNDS);
const TRACE = '0af7651916cd43dd8448eb211c80319cb7ad6b7169203331';

const shared = createShared();
const outbox = new Outbox(shared, 200);
const taskId = outbox.taskId('bullmq', 'mail', 'welcome')!;
const { port1, port2 } = new MessageChannel();

const record = (jobId: string, slot: number, generation: number): FinishedRun => ({
  slot,
  generation,
  taskId,
  jobId,
  attempt: 1,
  isRetry: false,
  failed: false,
  startEpochMs: 1_790_000_000_000,
  durationMs: 12.5,
  waitMs: 3,
  cpuMs: 0.8,
  cpuQuality: 'exact',
  cpuSampled: false,
  blockMs: 0.4,
  requests: 2,
  bytesIn: 5000,
  bytesOut: 800,
  payloadBytes: 120,
  trace: TRACE,
  exportSpan: true,
  extra: undefined,
});

function byTable(from: number): void {
  for (let n = from; n < from + BATCH; n++) {
    const jobId = String(n);
    const slot = outbox.open(taskId, jobId, 1, n, TRACE);
    const finished = record(jobId, slot, outbox.generation(slot));
    outbox.close(slot);
    outbox.run(finished);
  }
}

function byMessage(from: number): void {
  for (let n = from; n < from + BATCH; n++) port1.postMessage(record(String(n), 0, 1));
}

const table: number[] = [];
const message: number[] = [];
for (let round = -WARM_UP; round < ROUNDS; round++) {
  const begun = performance.now();
  byTable(1_000_000 + round * BATCH);
  const between = performance.now();
  byMessage(1_000_000 + round * BATCH);
  const ended = performance.now();
  // What the agent does.
  Atomics.store(shared.i32, I32.ringTail, shared.i32[I32.ringHead]!);
  while (receiveMessageOnPort(port2) !== undefined);
  if (round < 0) continue;
  table.push(((between - begun) * 1e6) / BATCH);
  message.push(((ended - between) * 1e6) / BATCH);
}
report('record', { table, message, dropped: shared.i32[I32.droppedRing]! + shared.i32[I32.droppedTable]! });
port1.close();
