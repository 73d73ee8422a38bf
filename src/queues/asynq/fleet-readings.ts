import type { MetricName } from '../../model/metrics.ts';
import type { InstanceReading, QueueRef } from '../system.ts';
import { standingOf } from './deadlines.ts';
import type { LostTask } from './lost.ts';
import type { SchedulerEntry } from './messages.ts';
import type { RunningTask, WorkerProcess } from './workers.ts';

type Attributes = Readonly<Record<string, string>>;

export function processAttributes({ host, pid }: { host: string; pid: number }): Attributes {
  return { 'host.name': host, 'process.pid': String(pid) };
}

/** What each worker process says of itself, and the tasks in its hands by type. */
export function workerReadings(workers: readonly WorkerProcess[]): InstanceReading[] {
  return workers.flatMap((worker) => {
    const attributes = processAttributes(worker);
    const { servers } = worker;
    const listed = servers.every(({ flights }) => flights !== undefined);
    const active = sum(servers.map(({ info }) => info.activeWorkers));
    const unread = Math.max(0, sum(servers.map(({ flights }) => flights?.size ?? 0)) - worker.running.length);
    const readings: InstanceReading[] = [
      {
        metric: 'queue.worker.capacity',
        attributes,
        value: sum(servers.map(({ info }) => info.concurrency)),
      },
      { metric: 'queue.worker.active', attributes, value: active },
      { metric: 'queue.worker.unread', attributes, value: listed ? unread : active },
    ];
    for (const tasks of grouped(worker.running, ({ flight }) => `${flight.queue}\n${flight.type}`).values()) {
      const { queue, type } = tasks[0]!.flight;
      readings.push({
        metric: 'queue.worker.tasks',
        attributes: { ...attributes, 'task.name': type },
        value: tasks.length,
        queue: { prefix: worker.prefix, name: queue },
      });
    }
    for (const status of new Set(servers.map(({ info }) => info.status || 'unknown')))
      readings.push({
        metric: 'queue.worker.status',
        attributes: { ...attributes, 'queue.worker.state': status },
        value: 1,
      });
    return readings;
  });
}

/** What the servers of a queue come to. A server serves several queues with the same workers. */
export function servingReadings(workers: readonly WorkerProcess[], prefix: string): InstanceReading[] {
  const byQueue = new Map<
    string,
    { workers: number; capacity: number; active: number; weights: number[]; strict: boolean[] }
  >();
  for (const { info } of workers.flatMap(({ servers }) => servers)) {
    for (const [queue, weight] of info.queues) {
      const entry = byQueue.get(queue) ?? { workers: 0, capacity: 0, active: 0, weights: [], strict: [] };
      byQueue.set(queue, entry);
      entry.workers++;
      entry.capacity += info.concurrency;
      entry.active += info.activeWorkers;
      entry.weights.push(weight);
      entry.strict.push(info.strictPriority);
    }
  }
  return [...byQueue].flatMap(([name, entry]) => {
    const queue: QueueRef = { prefix, name };
    const reading = (metric: MetricName, value: number): InstanceReading => ({
      metric,
      attributes: {},
      value,
      queue,
    });
    return [
      reading('queue.workers', entry.workers),
      reading('queue.capacity', entry.capacity),
      ...(entry.capacity > 0 ? [reading('queue.saturation', entry.active / entry.capacity)] : []),
      reading('queue.weight', Math.min(...entry.weights)),
      reading('queue.strict_priority', entry.strict.some(Boolean) ? 1 : 0),
    ];
  });
}

/** Tasks in flight by queue and type, and the oldest of each queue. */
export function flightReadings(workers: readonly WorkerProcess[], prefix: string): InstanceReading[] {
  const running = workers.flatMap((worker) => worker.running);
  const readings: InstanceReading[] = [];
  for (const [name, tasks] of grouped(running, ({ flight }) => flight.queue)) {
    const queue: QueueRef = { prefix, name };
    const put = (metric: MetricName, attributes: Attributes, value: number | undefined) => {
      if (value !== undefined) readings.push({ metric, attributes, value, queue });
    };
    put('queue.active.oldest', {}, oldest(tasks));
    for (const [type, own] of grouped(tasks, ({ flight }) => flight.type)) {
      const attributes = { 'task.name': type };
      put('task.active', attributes, own.length);
      put('task.active.oldest', attributes, oldest(own));
      const standings = own.map(({ flight, nowMs }) => standingOf(flight, nowMs));
      for (const standing of ['near', 'over'] as const)
        put(
          'task.active.deadline',
          { ...attributes, 'task.deadline.state': standing },
          standings.filter((each) => each === standing).length,
        );
    }
  }
  return readings;
}

export function lostReadings(lost: readonly LostTask[], prefix: string): InstanceReading[] {
  return [
    ...grouped(lost, ({ flight, server }) => `${flight.queue}\n${flight.type}\n${server.key}`).values(),
  ].map((tasks) => {
    const { flight, server } = tasks[0]!;
    return {
      metric: 'task.lost',
      attributes: { 'task.name': flight.type, ...processAttributes(server.info) },
      value: tasks.length,
      queue: { prefix, name: flight.queue },
    };
  });
}

/** Per type of periodic task, of the entry that is latest. */
export function scheduleReadings(
  schedulers: readonly (readonly SchedulerEntry[])[],
  nameOf: (type: string) => string,
  nowMs: number,
): InstanceReading[] {
  const readings: InstanceReading[] = [
    { metric: 'queue.schedulers', attributes: {}, value: schedulers.length },
  ];
  for (const [type, entries] of grouped(schedulers.flat(), (entry) => nameOf(entry.type))) {
    const attributes = { 'task.name': type };
    const late = entries.flatMap(({ nextMs }) => (nextMs === undefined ? [] : [Math.max(0, nowMs - nextMs)]));
    const since = entries.flatMap(({ previousMs }) =>
      previousMs === undefined ? [] : [Math.max(0, nowMs - previousMs)],
    );
    if (late.length > 0)
      readings.push({ metric: 'queue.schedule.overdue', attributes, value: Math.max(...late) / 1000 });
    if (since.length > 0)
      readings.push({ metric: 'queue.schedule.last', attributes, value: Math.max(...since) / 1000 });
  }
  return readings;
}

function grouped<T>(items: readonly T[], keyOf: (item: T) => string): Map<string, T[]> {
  return Map.groupBy(items, keyOf);
}

function oldest(tasks: readonly RunningTask[]): number | undefined {
  const ages = tasks.flatMap(({ ageMs }) => ageMs ?? []);
  return ages.length === 0 ? undefined : Math.max(...ages) / 1000;
}

function sum(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0);
}
