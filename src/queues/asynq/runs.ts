import type { RunReference } from '../../model/alert.ts';
import type { Labels } from '../../model/labels.ts';
import type { LostTask } from './lost.ts';
import type { WorkerProcess } from './workers.ts';

/** Tasks named in one alert. */
const MAX_RUNS = 10;

/** Whose tasks they are. */
export interface Place {
  readonly prefix: string;
  /** As `redis.instance` says; undefined where only one is watched. */
  readonly redis: string | undefined;
}

/** Tasks in flight, or lost with their server, that the labels of an alert speak of: the oldest first. */
export function runsFor(
  labels: Labels,
  { prefix, redis }: Place,
  workers: readonly WorkerProcess[],
  lost: readonly LostTask[],
  nowMs: number,
): RunReference[] {
  if ((labels.messaging_system ?? 'asynq') !== 'asynq') return [];
  if ((labels.redis_instance ?? redis) !== redis || (labels.queue_prefix ?? prefix) !== prefix) return [];
  const runs = [
    ...workers.flatMap(({ host, pid, running }) =>
      running.map(({ flight, ageMs }) => ({ host, pid, flight, ageMs, active: true })),
    ),
    ...lost.map(({ flight, server: { info, clockMs } }) => {
      const ageMs =
        flight.startedMs === undefined ? undefined : Math.max(0, nowMs + clockMs - flight.startedMs);
      return { host: info.host, pid: info.pid, flight, ageMs, active: false };
    }),
  ];
  return runs
    .filter(
      ({ host, pid, flight }) =>
        (labels.task_name ?? flight.type) === flight.type &&
        (labels.messaging_destination_name ?? flight.queue) === flight.queue &&
        (labels.host_name ?? host) === host &&
        (labels.process_pid ?? String(pid)) === String(pid),
    )
    .sort((a, b) => (b.ageMs ?? 0) - (a.ageMs ?? 0))
    .slice(0, MAX_RUNS)
    .map(({ flight: { queue, type, id, startedMs }, ageMs, active }) => ({
      queue,
      task: type,
      framework: 'asynq',
      jobId: id,
      // Servers do not tell it of tasks in flight.
      attempt: 0,
      traceId: '',
      spanId: '',
      ageMs: ageMs ?? 0,
      active,
      ...(redis !== undefined && { watched: { redis, prefix, startedMs } }),
    }));
}
