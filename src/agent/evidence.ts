import { type ActiveRun, MAIN_THREAD, type RunRecord } from '../bridge/inbox.ts';
import type { TaskKey } from '../bridge/protocol.ts';
import type { RunReference } from '../model/alert.ts';
import type { Labels } from '../model/labels.ts';

/** Finished runs remembered per task, and runs named in one alert. */
const RECENT_PER_TASK = 5;
const MAX_RUNS = 10;

/** Who was running: names the runs that an alert is about. */
export class Evidence {
  readonly #active: () => ActiveRun[];
  readonly #recent = new Map<TaskKey, RunRecord[]>();
  #holder: ActiveRun | undefined;

  /** @param active runs in flight at this moment */
  constructor(active: () => ActiveRun[]) {
    this.#active = active;
  }

  finished(run: RunRecord): void {
    const recent = this.#recent.get(run.task);
    if (recent === undefined) this.#recent.set(run.task, [run]);
    else if (recent.push(run) > RECENT_PER_TASK) recent.shift();
  }

  /** The run that holds a blocked event loop, while it does. */
  blockedBy(run: ActiveRun | undefined): void {
    this.#holder = run;
  }

  /**
   * Runs of the task that the labels name: the one that blocks the loop first, then others in flight, oldest first, then
   * finished ones, newest first. Without a task in the labels: the runs in flight.
   */
  runsFor(labels: Labels): RunReference[] {
    const matches = (task: TaskKey): boolean =>
      (labels.task_name ?? task.task) === task.task &&
      (labels.messaging_destination_name ?? task.queue) === task.queue &&
      (labels.messaging_system ?? task.framework) === task.framework;
    const active = this.#active()
      .filter((run) => matches(run.task))
      .sort((a, b) => b.ageMs - a.ageMs);
    const holder = this.#holder;
    const at = active.findIndex(
      ({ thread, slot, generation }) =>
        thread === holder?.thread && slot === holder.slot && generation === holder.generation,
    );
    if (at > 0) active.unshift(...active.splice(at, 1));
    const finished =
      labels.task_name === undefined
        ? []
        : [...this.#recent].flatMap(([task, runs]) => (matches(task) ? runs : []));
    finished.sort((a, b) => b.startEpochMs + b.durationMs - (a.startEpochMs + a.durationMs));
    return [
      ...active.map((run) => {
        const { thread, slot, generation } = run;
        const reference = referenceOf(run, run.ageMs, true);
        return thread === MAIN_THREAD ? { ...reference, place: { slot, generation } } : reference;
      }),
      ...finished.map((run) => referenceOf(run, run.durationMs, false)),
    ].slice(0, MAX_RUNS);
  }
}

function referenceOf(run: ActiveRun | RunRecord, ageMs: number, active: boolean): RunReference {
  const { jobId, attempt, traceId, spanId } = run;
  return { ...run.task, jobId, attempt, traceId, spanId, ageMs, active };
}
