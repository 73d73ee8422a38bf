import type { TaskKey } from '../../bridge/protocol.ts';
import type { RunReference } from '../../model/alert.ts';
import type { Labels } from '../../model/labels.ts';
import type { MetricName } from '../../model/metrics.ts';
import type { Registry } from '../../store/registry.ts';
import { taskAttributes } from '../ingest.ts';
import { type Crash, referenceOf } from './crash.ts';
import type { Poison } from './deaths.ts';

/** How long a death is told by the metrics that the alert looks at, ms. */
const TOLD_MS = 300_000;
/** Deaths told at a time; the oldest makes way. */
const MAX_TOLD = 20;

interface Told {
  readonly crash: Crash;
  readonly until: number;
  readonly series: readonly (readonly [MetricName, Labels])[];
}

/** Deaths and what is poison, as metrics that rules look at, and the runs for the alerts that come of it. */
export class CrashReports {
  readonly #registry: Registry;
  #told: Told[] = [];
  #poison: readonly Poison[] = [];

  constructor(registry: Registry) {
    this.#registry = registry;
  }

  /** @param now ms, any clock that is never set */
  crashed(crash: Crash, now: number): void {
    const registry = this.#registry;
    const series: [MetricName, Labels][] = [];
    const id = { 'task.crash.id': crash.id };
    const set = (name: MetricName, attributes: Labels, value: number): void => {
      if (!Number.isFinite(value)) return;
      registry.set(name, attributes, value);
      series.push([name, attributes]);
    };
    const counts = new Map<string, { attributes: Labels; n: number }>();
    for (const { task, suspicion } of crash.runs) {
      const cause = { 'task.crash.cause': crash.cause };
      registry.add('task.crashes', { ...taskAttributes(task), ...cause }, 1);
      const attributes = {
        ...taskAttributes(task),
        ...cause,
        ...id,
        'task.crash.service': crash.service,
        'task.suspicion': suspicion,
      };
      const key = JSON.stringify(attributes);
      const known = counts.get(key);
      if (known === undefined) counts.set(key, { attributes, n: 1 });
      else known.n++;
    }
    for (const { attributes, n } of counts.values()) set('task.crashed', attributes, n);
    set('taskwarden.worker.crash.memory', id, crash.resources.rss);
    set('taskwarden.worker.crash.heap', id, crash.resources.heapUsed);
    set('taskwarden.worker.crash.cpu.time', id, crash.resources.cpuMs / 1000);
    this.#told.push({ crash, until: now + TOLD_MS, series });
    if (this.#told.length > MAX_TOLD) this.#forget(this.#told.shift()!);
  }

  /** What is poison now; replaces what was. */
  poisonous(poison: readonly Poison[]): void {
    for (const one of this.#poison) this.#registry.remove('task.poison.deaths', poisonAttributes(one));
    for (const one of poison) this.#registry.set('task.poison.deaths', poisonAttributes(one), one.deaths);
    this.#poison = poison;
  }

  /** The job where it counts as poison; to be asked at the end of every run. */
  poisonOf(task: TaskKey, jobId: string): Poison | undefined {
    if (jobId === '') return undefined;
    // A loop, as a closure would cost every run an object.
    for (const one of this.#poison) {
      const { framework, queue, task: name } = one.task;
      if (one.jobId !== jobId || name !== task.task) continue;
      if (queue === task.queue && framework === task.framework) return one;
    }
    return undefined;
  }

  /** Lets go of deaths that have been told for long enough. */
  expire(now: number): void {
    for (const told of this.#told) if (told.until <= now) this.#forget(told);
    this.#told = this.#told.filter(({ until }) => until > now);
  }

  /** Runs that an alert about a death or about poison is about; undefined for other alerts. */
  runsFor(labels: Labels): RunReference[] | undefined {
    const { task_crash_id: id, task_poison_job: job, task_name: task } = labels;
    if (id !== undefined) {
      const runs = this.#told.find(({ crash }) => crash.id === id)?.crash.runs ?? [];
      return runs
        .filter((run) => task === undefined || run.task.task === task)
        .filter((run) => (labels.messaging_destination_name ?? run.task.queue) === run.task.queue)
        .map(referenceOf);
    }
    if (job === undefined) return undefined;
    const known = this.#told.flatMap(({ crash }) => crash.runs).filter(({ jobId }) => jobId === job);
    const [last] = known.slice(-1);
    return last === undefined
      ? [
          {
            framework: labels.messaging_system ?? '',
            queue: labels.messaging_destination_name ?? '',
            task: task ?? '',
            jobId: job,
            attempt: 0,
            ageMs: 0,
            traceId: '',
            spanId: '',
            active: false,
          },
        ]
      : [referenceOf(last)];
  }

  #forget({ series }: Told): void {
    for (const [name, attributes] of series) this.#registry.remove(name, attributes);
  }
}

function poisonAttributes({ task, jobId }: Poison): Labels {
  return { ...taskAttributes(task), ...(jobId !== '' && { 'task.poison.job': jobId }) };
}
