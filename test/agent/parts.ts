import { taskAttributes } from '../../src/agent/ingest.ts';
import { type ActiveRun, Inbox, MAIN_THREAD, type RunRecord } from '../../src/bridge/inbox.ts';
import { type FinishedRun, Outbox } from '../../src/bridge/outbox.ts';
import { createShared, type Shared, type TaskKey } from '../../src/bridge/protocol.ts';
import { monotonicMs } from '../../src/model/clock.ts';
import type { Labels } from '../../src/model/labels.ts';
import type { MetricName } from '../../src/model/metrics.ts';
import { type HistogramPoint, type NumberPoint, Registry } from '../../src/store/registry.ts';

export const MAIL: TaskKey = { framework: 'test', queue: 'mail', task: 'send' };
export const REPORT: TaskKey = { framework: 'test', queue: 'reports', task: 'monthly' };
export const TRACE_ID = '0af7651916cd43dd8448eb211c80319c';
export const SPAN_ID = 'b7ad6b7169203331';

export function newRegistry(maxSeriesPerMetric = 2000): Registry {
  return new Registry(1_700_000_000_000, { maxSeriesPerMetric });
}

/** All points of a metric that have these attributes, among others. */
function points(registry: Registry, name: MetricName, attributes: Labels): (NumberPoint | HistogramPoint)[] {
  const found = [];
  for (const metric of registry.metrics()) {
    if (metric.name !== name) continue;
    for (const point of metric.points.values())
      if (Object.entries(attributes).every(([key, value]) => point.attributes[key] === value))
        found.push(point);
  }
  return found;
}

/** The one value with these attributes; undefined where there is none. */
export function metricValue(
  registry: Registry,
  name: MetricName,
  attributes: Labels = {},
): number | undefined {
  const [point, other] = points(registry, name, attributes);
  if (other !== undefined) throw new Error(`${name} has several points with ${JSON.stringify(attributes)}`);
  if (point === undefined) return undefined;
  return 'counts' in point ? point.sum : point.value;
}

export function countOf(registry: Registry, name: MetricName, attributes: Labels = {}): number {
  return points(registry, name, attributes).reduce(
    (sum, point) => sum + ('counts' in point ? point.count : 1),
    0,
  );
}

/** The value of a task's series. */
export function taskValue(
  registry: Registry,
  name: MetricName,
  task: TaskKey = MAIL,
  more: Labels = {},
): number | undefined {
  return metricValue(registry, name, { ...taskAttributes(task), ...more });
}

export function record(over: Partial<RunRecord> = {}): RunRecord {
  return {
    thread: MAIN_THREAD,
    slot: 3,
    generation: 5,
    task: MAIL,
    taskId: 0,
    jobId: '42',
    attempt: 1,
    isRetry: false,
    failed: false,
    startEpochMs: 1_700_000_000_000,
    durationMs: 120,
    waitMs: 30,
    cpuMs: 50,
    cpuQuality: 'exact',
    cpuSampled: false,
    blockMs: 20,
    requests: 3,
    bytesIn: 1000,
    bytesOut: 200,
    payloadBytes: 17,
    traceId: TRACE_ID,
    spanId: SPAN_ID,
    exportSpan: true,
    extra: undefined,
    ...over,
  };
}

export function inFlight(over: Partial<ActiveRun> = {}): ActiveRun {
  return {
    thread: MAIN_THREAD,
    slot: 3,
    generation: 5,
    task: MAIL,
    taskId: 0,
    jobId: '42',
    attempt: 1,
    ageMs: 100,
    traceId: TRACE_ID,
    spanId: SPAN_ID,
    cpuMs: 0,
    requests: 0,
    bytesIn: 0,
    bytesOut: 0,
    timeoutMs: 0,
    lockMs: 0,
    ...over,
  };
}

/** Both ends of one thread's memory. */
export interface Ends {
  readonly shared: Shared;
  readonly outbox: Outbox;
  readonly inbox: Inbox;
  /** Begins a run and returns its slot. */
  begin(task?: TaskKey, jobId?: string): number;
  /** Ends a run that `begin` began. */
  finish(slot: number, over?: Partial<FinishedRun>, task?: TaskKey): void;
  /** Lets the inbox learn of the tasks; finished runs are forgotten. */
  drain(): void;
}

export function bothEnds(): Ends {
  const shared = createShared();
  const outbox = new Outbox(shared, 200);
  const inbox = new Inbox(shared.buffer, monotonicMs() - performance.now());
  const idOf = ({ framework, queue, task }: TaskKey): number => outbox.taskId(framework, queue, task)!;
  return {
    shared,
    outbox,
    inbox,
    begin: (task = MAIL, jobId = '42') =>
      outbox.open(idOf(task), jobId, 1, performance.now(), TRACE_ID + SPAN_ID),
    finish(slot, over = {}, task = MAIL) {
      const generation = outbox.generation(slot);
      outbox.close(slot);
      const { task: _, traceId, spanId, waitMs, payloadBytes, ...rest } = record();
      outbox.run({
        ...rest,
        slot,
        generation,
        taskId: idOf(task),
        waitMs: waitMs!,
        payloadBytes: payloadBytes!,
        trace: traceId + spanId,
        ...over,
      });
    },
    drain: () =>
      inbox.drain({
        run: () => {},
        task: () => {},
        span: () => {},
        collection: () => {},
        unreadable: (error) => {
          throw error;
        },
      }),
  };
}
