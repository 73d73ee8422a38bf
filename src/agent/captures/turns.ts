import type { Inbox } from '../../bridge/inbox.ts';
import { monotonicMs } from '../../model/clock.ts';
import type { MainThread } from '../blocks/main-thread.ts';
import type { SourceMaps } from '../blocks/source-maps.ts';
import { lookAt } from '../blocks/stack.ts';
import { NO_TASK, type Turn } from './profile-tasks.ts';

/** How often it is looked whose turn it is, ms, where shared memory tells and where the thread must be asked. */
const READ_MS = 5;
const ASK_MS = 25;
const MAX_TURNS = 20_000;

/** Notes whose turn it is on the main thread. */
export class Turns {
  readonly #inbox: Inbox;
  readonly #turns: Turn[] = [];
  readonly #timer: NodeJS.Timeout;
  #asking = false;

  constructor(inbox: Inbox, main: MainThread, maps: SourceMaps) {
    this.#inbox = inbox;
    const asked = inbox.current() === 'unknown';
    const ask = async (): Promise<void> => {
      if (this.#asking) return;
      this.#asking = true;
      const look = await lookAt(main, maps, ASK_MS * 4);
      this.#asking = false;
      // Without an answer it is in native code, where it was when it was asked.
      if (look !== undefined) this.#note(look.slot);
    };
    const read = (): void => {
      const current = inbox.current();
      if (current !== 'unknown') this.#note(current ?? -1);
    };
    this.#timer = setInterval(asked ? ask : read, asked ? ASK_MS : READ_MS);
    if (!asked) read();
    else void ask();
  }

  /** Ends the notes. */
  end(): readonly Turn[] {
    clearInterval(this.#timer);
    return this.#turns;
  }

  #note(slot: number | undefined): void {
    const run = slot === undefined || slot < 0 ? undefined : this.#inbox.slot(slot);
    const task = run === undefined ? NO_TASK : `${run.task.task} (queue ${run.task.queue})`;
    if (this.#turns.at(-1)?.task === task || this.#turns.length >= MAX_TURNS) return;
    this.#turns.push({ atMs: monotonicMs(), task });
  }
}
