import type { Inbox } from '../bridge/inbox.ts';
import { DUPLICATE_TYPES, type TallyName, type TaskKey } from '../bridge/protocol.ts';
import { isHandle } from '../bridge/told.ts';
import type { Labels } from '../model/labels.ts';
import type { MetricName } from '../model/metrics.ts';
import type { Registry } from '../store/registry.ts';
import { taskAttributes, taskKeyText } from './ingest.ts';

/** What is counted of a task beside its runs → series. */
export class Tallies {
  readonly #registry: Registry;
  /** Handles that are open by the thread that has them: they are gone when it is. */
  readonly #open = new Map<Inbox, Map<string, { task: TaskKey; name: TallyName; count: number }>>();

  constructor(registry: Registry) {
    this.#registry = registry;
  }

  /** Counters of a new task begin at 0; handles and job objects have series only where there was one. */
  task(task: TaskKey): void {
    for (const name of DUPLICATE_TYPES) this.#add(task, name, 0);
    this.#registry.add('task.payload.outliers', taskAttributes(task), 0);
  }

  add(from: Inbox, task: TaskKey, name: TallyName, delta: number): void {
    this.#add(task, name, delta);
    if (!isHandle(name)) return;
    const open = this.#open.get(from) ?? new Map();
    this.#open.set(from, open);
    const key = `${name}\u0001${taskKeyText(task)}`;
    open.set(key, { task, name, count: (open.get(key)?.count ?? 0) + delta });
  }

  /** A thread has ended, and with it what it had open. */
  ended(from: Inbox): void {
    for (const { task, name, count } of this.#open.get(from)?.values() ?? []) this.#add(task, name, -count);
    this.#open.delete(from);
  }

  #add(task: TaskKey, name: TallyName, delta: number): void {
    const [metric, attributes] = seriesOf(name);
    this.#registry.add(
      metric,
      { ...taskAttributes(task), ...attributes },
      name === 'cpu_sampled' ? delta / 1000 : delta,
    );
  }
}

function seriesOf(name: TallyName): [MetricName, Labels] {
  if (name === 'jobs_checked') return ['task.jobs.checked', {}];
  if (name === 'jobs_retained') return ['task.jobs.retained', {}];
  if (name === 'cpu_sampled') return ['task.cpu.time', { 'task.cpu.quality': 'sampled' }];
  if (name === 'cpu_samples') return ['task.cpu.samples', {}];
  if (name === 'allocated') return ['task.memory.allocated', {}];
  return isHandle(name)
    ? ['task.handles.open', { 'task.handle.type': name }]
    : ['task.duplicates', { 'task.duplicate.type': name }];
}
