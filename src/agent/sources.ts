import { type ActiveRun, Inbox, type InboxHandlers, MAIN_THREAD } from '../bridge/inbox.ts';
import { isQuiet } from '../bridge/pace.ts';
import { I32, type Offer, type TallyName, type TaskKey, type Told } from '../bridge/protocol.ts';
import type { Registry } from '../store/registry.ts';
import { taskKeyText } from './ingest.ts';
import { Vitals } from './vitals.ts';
import type { Watchdog } from './watchdog.ts';

/** One instrumented thread of the process as the agent sees it. */
export interface Source {
  inbox: Inbox;
  vitals: Vitals;
  watchdog: Watchdog;
  /** Whether another agent may have read the thread before this one. */
  readonly isSuccessor: boolean;
}

/** As of one thread, but where it matters which. */
export interface SourceHandlers extends Omit<InboxHandlers, 'tally'> {
  tally?(from: Inbox, task: TaskKey, name: TallyName, delta: number): void;
  /** A thread has ended, and nothing more comes from it. */
  ended?(from: Inbox): void;
}

/** The instrumented threads: the main thread first, others as they offer their memory. */
export class Sources {
  readonly #registry: Registry;
  readonly #watch: (inbox: Inbox) => Watchdog;
  readonly #handlers: SourceHandlers;
  /** One object for a task, whichever thread it comes from: it is what the other parts know a task by. */
  readonly #tasks = new Map<string, TaskKey>();
  #all: Source[] = [];
  #nextThread = MAIN_THREAD;

  constructor(
    registry: Registry,
    handlers: SourceHandlers,
    watch: (inbox: Inbox, isMain: boolean) => Watchdog,
  ) {
    this.#registry = registry;
    this.#handlers = handlers;
    this.#watch = (inbox) => watch(inbox, this.#all.length === 0);
  }

  add({ buffer, clockOffset, told }: Offer): Source {
    const inbox = new Inbox(buffer, clockOffset, this.#nextThread++, told);
    const main = this.#all[0]?.inbox ?? inbox;
    const isSuccessor = Atomics.load(main.shared.i32, I32.agentRestarts) > 0;
    const vitals = new Vitals(inbox, this.#registry, main === inbox, isSuccessor);
    const source = { inbox, vitals, watchdog: this.#watch(inbox), isSuccessor };
    this.#all.push(source);
    if (told !== undefined) this.#takeOver(inbox, told);
    return source;
  }

  /** What a former agent has read is not written again. */
  #takeOver(inbox: Inbox, { tasks, queues, open, breakers }: Told): void {
    const { queue, tally, breaker } = this.#handlers;
    for (const [id, task] of tasks.entries()) this.#task(inbox, id, task);
    for (const seen of queues) queue?.(seen);
    for (const [id, name, count] of open)
      if (inbox.tasks[id] !== undefined) tally?.(inbox, inbox.tasks[id], name, count);
    for (const row of breakers) breaker?.(row);
  }

  get all(): readonly Source[] {
    return this.#all;
  }

  /** Whether no run is in flight, and no thread late with its heartbeat. @param intervalMs of heartbeats */
  isQuiet(intervalMs: number): boolean {
    return this.#all.every(({ inbox }) => isQuiet(inbox.shared) && !inbox.isLate(intervalMs));
  }

  /** Whether a thread is about to be said to be blocked. */
  get isUrgent(): boolean {
    return this.#all.some(({ watchdog }) => watchdog.isPending);
  }

  active(): ActiveRun[] {
    return this.#all.flatMap(({ inbox }) => (inbox.closed ? [] : inbox.active()));
  }

  /** All that there have been, of threads that have ended as well. */
  tasks(): Iterable<TaskKey> {
    return this.#tasks.values();
  }

  /** Reads all records that are there, and lets go of threads that have ended. */
  drain(): void {
    // Asked before reading: what a thread writes last must be read after it has said that it ends.
    const ended = this.#all.filter(({ inbox }, at) => at > 0 && inbox.closed);
    for (const { inbox } of this.#all)
      inbox.drain({
        ...this.#handlers,
        task: (id, task) => this.#task(inbox, id, task),
        tally: (task, name, delta) => this.#handlers.tally?.(inbox, task, name, delta),
      });
    if (ended.length > 0)
      this.#all = this.#all.filter((source) => !ended.includes(source) || this.#letGo(source));
  }

  /** A last look at a thread that has ended: what it dropped counts, and it blocks nothing any more. */
  #letGo({ inbox, vitals, watchdog }: Source): false {
    vitals.collect();
    this.#handlers.ended?.(inbox);
    watchdog.release();
    return false;
  }

  #task(inbox: Inbox, id: number, told: TaskKey): void {
    const key = taskKeyText(told);
    const task = this.#tasks.get(key) ?? told;
    this.#tasks.set(key, task);
    inbox.tasks[id] = task;
    this.#handlers.task(id, task);
  }
}
