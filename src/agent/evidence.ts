import { type ActiveRun, MAIN_THREAD, type RunRecord } from '../bridge/inbox.ts';
import type { TaskKey } from '../bridge/protocol.ts';
import type { RunReference } from '../model/alert.ts';
import { wallClock } from '../model/clock.ts';
import type { Labels } from '../model/labels.ts';
import { endOf, NotableRuns, type PastRun, type Subject } from './notable-runs.ts';

/** Runs named in one alert: in flight, or of both kinds where the latest do; and finished ones beside them that the alert is about. */
const MAX_RUNS = 10;
const MAX_CHOSEN = 5;
/** What no run in flight can be known to be. */
const OF_THE_PAST: ReadonlySet<Subject> = new Set(['failed', 'duplicate']);
/** Where a task has failed with more types of errors than are told apart. */
const OTHER_ERRORS = '_OTHER';

/** Who was running: names the runs that an alert is about. */
export class Evidence {
  readonly #active: () => ActiveRun[];
  readonly #now: () => number;
  readonly #finished = new Map<TaskKey, NotableRuns>();
  #holder: ActiveRun | undefined;

  /** @param active runs in flight at this moment, @param now ms since the Unix epoch */
  constructor(active: () => ActiveRun[], now: () => number = wallClock) {
    this.#active = active;
    this.#now = now;
  }

  finished(run: RunRecord): void {
    let runs = this.#finished.get(run.task);
    if (runs === undefined) {
      runs = new NotableRuns();
      this.#finished.set(run.task, runs);
    }
    runs.add(run);
  }

  /** The run that holds a blocked event loop, while it does. */
  blockedBy(run: ActiveRun | undefined): void {
    this.#holder = run;
  }

  /**
   * Runs of the task that the labels name: the one that blocks the loop first, then others in flight, oldest first, then
   * finished ones that the alert is about: the newest, or those with most of it, first. Without a task in the labels: the runs in flight.
   */
  runsFor(labels: Labels, about: Subject = 'latest'): RunReference[] {
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
    const subject = labels.error_type === undefined ? about : 'failed';
    const finished = labels.task_name === undefined ? [] : this.#chosen(matches, subject, labels);
    const inFlight = active.slice(0, MAX_RUNS).map((run) => {
      const { thread, slot, generation } = run;
      const reference = referenceOf(run, run.ageMs, true);
      return thread === MAIN_THREAD ? { ...reference, place: { slot, generation } } : reference;
    });
    const room = subject === 'latest' ? MAX_RUNS - inFlight.length : MAX_CHOSEN;
    return [
      ...inFlight,
      ...finished.slice(0, room).map((run) => {
        const reference = referenceOf(run, run.durationMs, false);
        return OF_THE_PAST.has(subject) ? { ...reference, isMeant: true } : reference;
      }),
    ];
  }

  #chosen(matches: (task: TaskKey) => boolean, subject: Subject, labels: Labels): PastRun[] {
    const named = subject === 'failed' ? labels.error_type : labels.task_duplicate_type;
    const type = named === OTHER_ERRORS ? undefined : named;
    const now = this.#now();
    const lists = [...this.#finished].flatMap(([task, runs]) =>
      matches(task) ? [runs.of(subject, type, now)] : [],
    );
    // Labels without a queue may mean several tasks: then the runs of all, by time.
    const [first = [], ...others] = lists;
    return others.length === 0 ? first : lists.flat().sort((a, b) => endOf(b) - endOf(a));
  }
}

function referenceOf(run: ActiveRun | PastRun, ageMs: number, active: boolean): RunReference {
  const { jobId, attempt, traceId, spanId } = run;
  return { ...run.task, jobId, attempt, traceId, spanId, ageMs, active };
}
