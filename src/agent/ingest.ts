import type { ActiveRun, RunRecord } from '../bridge/inbox.ts';
import { type CpuQuality, SLOT_COUNT, type TaskKey } from '../bridge/protocol.ts';
import type { Labels } from '../model/labels.ts';
import { METRICS, type MetricName } from '../model/metrics.ts';
import { type HistogramPoint, type NumberPoint, observe, type Registry } from '../store/registry.ts';

/** Error types that one task has series of its own for; further ones count as `_OTHER` (the convention's own value). */
const MAX_ERROR_TYPES = 20;

const DURATION = bounds('messaging.process.duration');
const WAIT = bounds('task.wait.duration');
const BLOCK = bounds('task.event_loop.block.duration');
const PAYLOAD = bounds('task.payload.size');

/** The series of one task, looked up once. */
interface TaskSeries {
  attributes: Labels;
  consumed: NumberPoint;
  succeeded: NumberPoint;
  failed: NumberPoint;
  retries: NumberPoint;
  duration: HistogramPoint;
  failures: Map<string, HistogramPoint>;
  waitFirst: HistogramPoint;
  waitRetry: HistogramPoint | undefined;
  cpu: Partial<Record<CpuQuality, NumberPoint>>;
  block: HistogramPoint;
  network: { requests: NumberPoint; received: NumberPoint; transmitted: NumberPoint } | undefined;
  payload: HistogramPoint;
  /** Finished runs. */
  completed: number;
  /** What was counted of runs that are still in flight, by {@link placeOf}. */
  counted: Map<number, Counted>;
}

/** Where a run is while it is in flight; a slot of -1 is none. */
interface Place {
  thread: number;
  slot: number;
  generation: number;
}

/** Usage of a run that is counted already. */
interface Counted extends Used {
  thread: number;
  generation: number;
}

interface Used {
  cpuMs: number;
  requests: number;
  bytesIn: number;
  bytesOut: number;
}

const NOTHING: Used = { cpuMs: 0, requests: 0, bytesIn: 0, bytesOut: 0 };

/** Attributes that the series of a task have in common. */
export function taskAttributes(task: TaskKey): Labels {
  return {
    'messaging.system': task.framework,
    'messaging.destination.name': task.queue,
    'task.name': task.task,
  };
}

/** Finished runs → series. The one place where a run becomes numbers. */
export class Ingest {
  readonly #registry: Registry;
  readonly #network: boolean;
  readonly #series = new Map<TaskKey, TaskSeries>();
  #finished = 0;

  /** @param options.network whether requests and bytes are counted: else they have no series */
  constructor(registry: Registry, options: { network: boolean } = { network: true }) {
    this.#registry = registry;
    this.#network = options.network;
  }

  /** Finished runs of all tasks since the start. */
  get finished(): number {
    return this.#finished;
  }

  /** Finished runs by task since the start, with keys of `taskKeyText`. */
  get completed(): ReadonlyMap<string, number> {
    const completed = new Map<string, number>();
    for (const [task, series] of this.#series) {
      const key = taskKeyText(task);
      completed.set(key, (completed.get(key) ?? 0) + series.completed);
    }
    return completed;
  }

  /** A new task: its series begin at 0, so that their first increment is one to `rate` and `increase`. */
  task(task: TaskKey): void {
    this.#of(task);
  }

  run(run: RunRecord): void {
    const series = this.#of(run.task);
    series.consumed.value++;
    (run.failed ? series.failed : series.succeeded).value++;
    if (run.isRetry) series.retries.value++;
    const duration = run.failed ? this.#failure(series, run) : series.duration;
    observe(duration, DURATION, run.durationMs / 1000);
    if (run.waitMs !== undefined) {
      if (run.attempt > 1) series.waitRetry ??= this.#wait(series.attributes, true);
      observe(run.attempt > 1 ? series.waitRetry! : series.waitFirst, WAIT, run.waitMs / 1000);
    }
    if (run.cpuQuality !== 'off') observe(series.block, BLOCK, run.blockMs / 1000);
    const counted = this.#countedOf(series, run);
    if (!run.cpuSampled) this.#useCpu(series, run.cpuMs - counted.cpuMs, run.cpuQuality);
    useNetwork(series, run, counted);
    if (series.counted.size > 0) series.counted.delete(placeOf(run));
    if (run.payloadBytes !== undefined) observe(series.payload, PAYLOAD, run.payloadBytes);
    series.completed++;
    this.#finished++;
  }

  /** Counts what runs in flight have used so far, so that one that never ends is seen. */
  active(runs: readonly ActiveRun[]): void {
    for (const run of runs) {
      const { thread, generation, cpuMs, requests, bytesIn, bytesOut } = run;
      if (cpuMs === 0 && requests === 0) continue;
      const series = this.#of(run.task);
      // A run in flight has figures only while its metering is exact: the sync mode's come at its end.
      const counted = this.#countedOf(series, run);
      this.#useCpu(series, cpuMs - counted.cpuMs, 'exact');
      useNetwork(series, run, counted);
      series.counted.set(placeOf(run), { thread, generation, cpuMs, requests, bytesIn, bytesOut });
    }
  }

  /** What runs in flight have used by now another agent has counted, before this one. */
  takeOver(runs: readonly ActiveRun[]): void {
    for (const run of runs) {
      const { thread, generation, cpuMs, requests, bytesIn, bytesOut } = run;
      const used = { thread, generation, cpuMs, requests, bytesIn, bytesOut };
      this.#of(run.task).counted.set(placeOf(run), used);
    }
  }

  /** A thread has ended: its runs in flight have used what is counted, and no more. */
  ended(thread: number): void {
    for (const { counted } of this.#series.values())
      for (const [place, run] of counted) if (run.thread === thread) counted.delete(place);
  }

  #countedOf(series: TaskSeries, run: Place): Used {
    const counted = series.counted.get(placeOf(run));
    return counted?.generation === run.generation ? counted : NOTHING;
  }

  #useCpu(series: TaskSeries, ms: number, quality: CpuQuality): void {
    if (ms > 0) this.#cpu(series, quality).value += ms / 1000;
  }

  #of(task: TaskKey): TaskSeries {
    let series = this.#series.get(task);
    if (series === undefined) {
      series = this.#create(task);
      this.#series.set(task, series);
    }
    return series;
  }

  #create(task: TaskKey): TaskSeries {
    const registry = this.#registry;
    const attributes = taskAttributes(task);
    const process = { ...attributes, 'messaging.operation.name': 'process' };
    const io = (direction: string): NumberPoint =>
      registry.number('task.network.io', { ...attributes, 'network.io.direction': direction });
    return {
      attributes,
      consumed: registry.number('messaging.client.consumed.messages', process),
      succeeded: registry.number('task.runs', { ...attributes, 'task.outcome': 'success' }),
      failed: registry.number('task.runs', { ...attributes, 'task.outcome': 'failure' }),
      retries: registry.number('task.retries', attributes),
      duration: registry.histogram('messaging.process.duration', process),
      failures: new Map(),
      waitFirst: this.#wait(attributes, false),
      waitRetry: undefined,
      cpu: {},
      block: registry.histogram('task.event_loop.block.duration', attributes),
      network: this.#network
        ? {
            requests: registry.number('task.network.requests', attributes),
            received: io('receive'),
            transmitted: io('transmit'),
          }
        : undefined,
      payload: registry.histogram('task.payload.size', attributes),
      completed: 0,
      counted: new Map(),
    };
  }

  #wait(attributes: Labels, retry: boolean): HistogramPoint {
    return this.#registry.histogram('task.wait.duration', { ...attributes, 'task.retry': String(retry) });
  }

  #cpu(series: TaskSeries, quality: CpuQuality): NumberPoint {
    let point = series.cpu[quality];
    if (point === undefined) {
      point = this.#registry.number('task.cpu.time', { ...series.attributes, 'task.cpu.quality': quality });
      series.cpu[quality] = point;
    }
    return point;
  }

  #failure(series: TaskSeries, run: RunRecord): HistogramPoint {
    const named = run.extra?.error?.type ?? '_OTHER';
    const type = series.failures.has(named) || series.failures.size < MAX_ERROR_TYPES ? named : '_OTHER';
    let point = series.failures.get(type);
    if (point === undefined) {
      const attributes = { ...series.attributes, 'messaging.operation.name': 'process', 'error.type': type };
      point = this.#registry.histogram('messaging.process.duration', attributes);
      series.failures.set(type, point);
    }
    return point;
  }
}

/** One number for a slot of a thread. */
function placeOf({ thread, slot }: Place): number {
  return slot < 0 ? slot : thread * SLOT_COUNT + slot;
}

/** Adds what a run has used, but for what was counted of it before. */
function useNetwork({ network }: TaskSeries, run: Used, counted: Used): void {
  if (network === undefined) return;
  network.requests.value += Math.max(0, run.requests - counted.requests);
  network.received.value += Math.max(0, run.bytesIn - counted.bytesIn);
  network.transmitted.value += Math.max(0, run.bytesOut - counted.bytesOut);
}

/** Text that stands for a task, unique within the process. */
export function taskKeyText(task: TaskKey): string {
  return `${task.framework}\u0001${task.queue}\u0001${task.task}`;
}

function bounds(name: MetricName): readonly number[] {
  return METRICS[name].buckets ?? [];
}
