import type { PeerFigures } from '../host/peer-figures.ts';
import { Peers, type PeersOptions } from '../host/peers.ts';
import { monotonicMs } from '../model/clock.ts';
import type { Labels } from '../model/labels.ts';
import type { MetricName } from '../model/metrics.ts';
import { processAttributes } from '../queues/asynq/fleet-readings.ts';
import type { Inspect } from '../queues/asynq/instance-reader.ts';
import type { WorkerProcess } from '../queues/asynq/workers.ts';
import type { InstanceReading } from '../queues/system.ts';
import { type TaskGrowth, WorkerGrowth } from './worker-growth.ts';

export interface InspectOptions extends PeersOptions {
  /** Monotonic, ms. */
  readonly now?: () => number;
}

/**
 * Reads the worker processes that a queue library tells of and that run on this machine, and tells which types of task their memory
 * grows with.
 *
 * @returns makes a reader for each Redis; processes that are known to several of them are one
 */
export function inspectWorkers({ now = monotonicMs, ...options }: InspectOptions = {}): Inspect {
  const growth = new WorkerGrowth(now);
  let readers = 0;
  return () => {
    const reader = readers++;
    const peers = new Peers(options);
    return (workers) => {
      const figures = [...peers.read(workers, now())];
      growth.keep(reader, new Set(figures.map(([, { process }]) => process)));
      return figures.flatMap(([worker, own]) => [
        ...processReadings(worker, own),
        ...growthReadings(worker, growth.see(reader, own.process, worker, own.memory)),
      ]);
    };
  };
}

function growthReadings(worker: WorkerProcess, growth: readonly TaskGrowth[]): InstanceReading[] {
  return growth.flatMap(({ queue: name, type, estimate: { perRun, lower } }) => {
    const attributes = { ...processAttributes(worker), 'task.name': type };
    const queue = { prefix: worker.prefix, name };
    return [
      { metric: 'task.memory.growth', attributes, value: perRun, queue },
      { metric: 'task.memory.growth.lower', attributes, value: lower, queue },
    ] as const;
  });
}

function processReadings(worker: WorkerProcess, figures: PeerFigures): InstanceReading[] {
  const own = processAttributes(worker);
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
