import type { ActiveRun, Inbox } from '../bridge/inbox.ts';
import { I32, type TaskKey } from '../bridge/protocol.ts';
import type { Registry } from '../store/registry.ts';
import { taskAttributes } from './ingest.ts';

/** Checks without a heartbeat in a row before a loop counts as blocked: a thread that was merely stopped beats at once. */
const SILENT_CHECKS = 3;
/** How late a check of ours may come before it says nothing about the other thread. */
const LATE_CHECKS = 3;

/** Stands for code outside of handler runs. */
const NO_TASK: TaskKey = { framework: 'none', queue: 'none', task: 'none' };

export interface WatchdogOptions {
  readonly registry: Registry;
  readonly thresholdMs: number;
  readonly intervalMs: number;
  /** Asks the thread itself which slot it is busy with; undefined when it does not answer. */
  readonly askSlot: (inbox: Inbox) => Promise<number | undefined>;
  /** A loop has just been found blocked, by this run where it is known. */
  readonly onBlocked: (run: ActiveRun | undefined) => void;
  readonly onFree: () => void;
}

interface Suspicion {
  task: TaskKey;
  kind: 'exclusive' | 'shared';
}

/** Watches the heartbeat of one thread and writes `task.event_loop.blocked` while it stays away. */
export class Watchdog {
  readonly #inbox: Inbox;
  readonly #options: WatchdogOptions;
  #beat = -1;
  #silent = 0;
  #checkedAt = Number.NaN;
  #suspects: Suspicion[] | undefined;

  constructor(inbox: Inbox, options: WatchdogOptions) {
    this.#inbox = inbox;
    this.#options = options;
  }

  /** To be called every `intervalMs`; `nowMs` of a monotonic clock. */
  async check(nowMs: number): Promise<void> {
    const { thresholdMs, intervalMs } = this.#options;
    const beat = Atomics.load(this.#inbox.shared.i32, I32.beat);
    const late = nowMs - this.#checkedAt > LATE_CHECKS * intervalMs;
    this.#checkedAt = nowMs;
    if (beat !== this.#beat || late || this.#inbox.closed) {
      this.#silent = 0;
      if (beat !== this.#beat || this.#inbox.closed) this.#free();
      this.#beat = beat;
      return;
    }
    this.#silent++;
    const lagMs = this.#inbox.lagMs();
    if (this.#suspects !== undefined) this.#write(lagMs);
    else if (lagMs >= thresholdMs && this.#silent >= SILENT_CHECKS) await this.#found(beat);
  }

  /** Ends what it says of its thread, which has ended. */
  release(): void {
    this.#free();
  }

  async #found(beat: number): Promise<void> {
    this.#suspects = [];
    const holder = await this.#holder();
    // The answer may have come because the loop is free again.
    if (Atomics.load(this.#inbox.shared.i32, I32.beat) !== beat) {
      this.#suspects = undefined;
      return;
    }
    if (holder !== 'unknown') {
      this.#suspects = [{ task: holder?.task ?? NO_TASK, kind: 'exclusive' }];
    } else {
      const tasks = new Set(this.#inbox.active().map((run) => run.task));
      this.#suspects = [...tasks].map((task) => ({ task, kind: tasks.size === 1 ? 'exclusive' : 'shared' }));
    }
    this.#write(this.#inbox.lagMs());
    this.#options.onBlocked(holder === 'unknown' ? undefined : holder);
  }

  async #holder(): Promise<ActiveRun | 'unknown' | undefined> {
    const current = this.#inbox.current();
    const slot = current === 'unknown' ? await this.#options.askSlot(this.#inbox) : (current ?? -1);
    if (slot === undefined) return 'unknown';
    return slot < 0 ? undefined : this.#inbox.slot(slot);
  }

  #free(): void {
    if (this.#suspects === undefined) return;
    this.#write(0);
    this.#suspects = undefined;
    this.#options.onFree();
  }

  #write(lagMs: number): void {
    for (const { task, kind } of this.#suspects ?? []) {
      const attributes = { ...taskAttributes(task), 'task.suspicion': kind };
      this.#options.registry.set('task.event_loop.blocked', attributes, lagMs / 1000);
    }
  }
}
