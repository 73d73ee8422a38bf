import { GrowthEstimator } from '../attribution/growth.ts';
import type { PeerFigures } from '../host/peer-figures.ts';
import { Peers, type PeersOptions } from '../host/peers.ts';
import type { Labels } from '../model/labels.ts';
import type { MetricName } from '../model/metrics.ts';
import type { InspectWorkers } from '../queues/asynq/instance-reader.ts';
import type { WorkerProcess } from '../queues/asynq/workers.ts';
import type { InstanceReading } from '../queues/system.ts';

/** Processes whose growth is followed. */
const MAX_FOLLOWED = 50;
/** A Go process holds up to twice what it needs until its next collection: less than this may be nothing but that. */
const MIN_GROWTH_BYTES = 64 * 1024 * 1024;
/** Time between two looks that counts at most, as after a Redis that was away. */
const LONGEST_STEP_S = 60;

interface Followed {
  readonly estimator: GrowthEstimator;
  /** Seconds that tasks of a type have been in flight, by queue and type. */
  readonly secondsInFlight: Map<string, number>;
  /** Of the process: one begun anew is another. */
  readonly startedMs: number | undefined;
  atMs: number;
}

/**
 * Reads the worker processes that a queue library tells of and that run on this machine, and tells which types of task their memory
 * grows with. The regression is the one of task.memory.retained, with seconds in flight in the place of finished runs, which nobody
 * outside the process knows, and resident memory in that of the heap.
 */
export function inspectWorkers(options: PeersOptions = {}): InspectWorkers {
  const peers = new Peers(options);
  const followed = new Map<string, Followed>();
  return (workers, nowMs) => {
    const figures = peers.read(workers, nowMs);
    for (const key of followed.keys()) {
      if (!workers.some((worker) => keyOf(worker) === key && figures.has(worker))) followed.delete(key);
    }
    return [...figures].flatMap(([worker, own]) => [
      ...processReadings(worker, own),
      ...growthReadings(worker, follow(followed, worker, own, nowMs)),
    ]);
  };
}

function follow(
  followed: Map<string, Followed>,
  worker: WorkerProcess,
  { memory }: PeerFigures,
  nowMs: number,
): GrowthEstimator | undefined {
  const key = keyOf(worker);
  let own = followed.get(key);
  if (own === undefined || own.startedMs !== worker.startedMs) {
    if (own === undefined && followed.size >= MAX_FOLLOWED) return undefined;
    const estimator = new GrowthEstimator({ minGrowthBytes: MIN_GROWTH_BYTES });
    own = { estimator, secondsInFlight: new Map(), startedMs: worker.startedMs, atMs: nowMs };
    followed.set(key, own);
  }
  const step = Math.min(Math.max(0, nowMs - own.atMs) / 1000, LONGEST_STEP_S);
  own.atMs = nowMs;
  for (const { flight } of worker.running) {
    const task = `${flight.queue}\n${flight.type}`;
    own.secondsInFlight.set(task, (own.secondsInFlight.get(task) ?? 0) + step);
  }
  if (memory !== undefined) {
    own.estimator.observe({
      usedHeapAfterMajorGc: memory,
      completedByTask: own.secondsInFlight,
      inFlight: worker.running.length,
      timeMs: nowMs,
    });
  }
  return own.estimator;
}

function growthReadings(worker: WorkerProcess, estimator: GrowthEstimator | undefined): InstanceReading[] {
  return [...(estimator?.estimates() ?? [])].flatMap(([task, { bytesPerRun, lower }]) => {
    const [name = '', type = ''] = task.split('\n');
    const attributes = { ...attributesOf(worker), 'task.name': type };
    const queue = { prefix: worker.prefix, name };
    return [
      { metric: 'task.memory.growth', attributes, value: bytesPerRun, queue },
      { metric: 'task.memory.growth.lower', attributes, value: lower, queue },
    ] as const;
  });
}

function processReadings(worker: WorkerProcess, figures: PeerFigures): InstanceReading[] {
  const own = attributesOf(worker);
  const readings: InstanceReading[] = [];
  const put = (metric: MetricName, value: number | undefined, attributes: Labels = {}) => {
    if (value !== undefined) readings.push({ metric, attributes: { ...own, ...attributes }, value });
  };
  const { group, network } = figures;
  put('queue.worker.memory.usage', figures.memory);
  put('queue.worker.cpu.time', figures.cpuUser, { 'cpu.mode': 'user' });
  put('queue.worker.cpu.time', figures.cpuSystem, { 'cpu.mode': 'system' });
  put('queue.worker.thread.count', figures.threads);
  put('queue.worker.file_descriptor.count', figures.descriptors);
  put('queue.worker.file_descriptor.limit', figures.descriptorLimit);
  put('queue.worker.io', figures.read, { 'queue.worker.io.direction': 'read' });
  put('queue.worker.io', figures.written, { 'queue.worker.io.direction': 'write' });
  put('queue.worker.network.io', network?.receive, { 'network.io.direction': 'receive' });
  put('queue.worker.network.io', network?.transmit, { 'network.io.direction': 'transmit' });
  if (group?.usage !== undefined)
    put('queue.worker.memory.container', Math.max(0, group.usage - (group.inactiveFile ?? 0)));
  put('queue.worker.memory.limit', group?.limit);
  return readings;
}

function attributesOf({ host, pid }: WorkerProcess): Labels {
  return { 'host.name': host, 'process.pid': String(pid) };
}

function keyOf({ host, pid }: WorkerProcess): string {
  return `${host}\n${pid}`;
}
