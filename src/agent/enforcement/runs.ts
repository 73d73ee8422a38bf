import { setTimeout as sleep } from 'node:timers/promises';
import type { Inbox } from '../../bridge/inbox.ts';
import type { AlertTransition } from '../../model/alert.ts';
import type { Action, ActionResult } from '../actions.ts';
import type { MainCalls } from './main-calls.ts';
import { done, failed, GONE, isResult, refused, runName, type Target, targetOf } from './result.ts';

/** How long the thread may take to do what it is asked for, ms. Later it does nothing. */
const ANSWER_MS = 5000;
/** How long a run that was ended may take to be over, ms. */
const END_MS = 5000;
const LOOK_MS = 20;

export interface RunActionsOptions {
  readonly inbox: Inbox;
  readonly calls: Pick<MainCalls, 'call' | 'callNow'>;
  /** Has the process take no more jobs, end those in flight, and end. */
  readonly restart: () => void;
}

/** What the main thread says of a request, see `tasks/enforcement.ts`. */
type Verdict = 'done' | 'gone' | 'late' | 'unheard' | 'elsewhere' | 'unguarded' | 'macrotask';

/** Before, `AsyncLocalStorage` has Node.js check what code was ended in, whatever its options. */
const FIRST_MAJOR = 24;
const CRASH =
  Number(process.versions.node.split('.')[0]) < FIRST_MAJOR
    ? `Node.js before ${FIRST_MAJOR} would crash: \`exit\` is what ends the loop there`
    : 'the loop is in a callback, in which Node.js would crash unless it is started with --no-force-async-hooks-checks';

const REFUSALS: Readonly<Partial<Record<Verdict, string>>> = {
  late: 'the thread was in native code, and came back too late',
  unheard:
    'the handler has asked for no signal: it takes a third parameter, or currentRun().signal, to see that it is aborted',
  elsewhere: 'the thread is busy with other code, which would have been ended',
  unguarded: 'nobody would learn of its end: it is no handler of a library, nor an async function',
  macrotask: CRASH,
};

/** `abort-run` and `terminate-run`: one run is told to end, or is ended. */
export class RunActions {
  readonly #options: RunActionsOptions;

  constructor(options: RunActionsOptions) {
    this.#options = options;
  }

  readonly abort: Action = {
    plan: (transition) => planOf(transition, (name) => `the signal of ${name} would have been aborted`),
    run: async (transition) => {
      const target = targetOf(transition);
      if (isResult(target)) return target;
      const reason = `aborted by Taskwarden: ${transition.name}`;
      const verdict = await this.#ask('abort', target, reason);
      if (verdict === 'done') return done(`the signal of ${runName(target.run)} is aborted`);
      return this.#explain(verdict, target);
    },
  };

  readonly terminate: Action = {
    plan: (transition) =>
      planOf(transition, (name) => `${name} would have been ended, and the process restarted`),
    run: async (transition) => {
      const target = targetOf(transition);
      if (isResult(target)) return target;
      const age = (target.run.ageMs / 1000).toFixed(1);
      const reason = `terminated by Taskwarden after ${age} s: ${transition.name}`;
      const verdict = await this.#ask('terminate', target, reason);
      // Ended code may take the answer with it: whether the run is over is seen in the table.
      const isOver = verdict === 'done' || verdict === undefined ? await this.#isOver(target) : false;
      if (!isOver) return this.#explain(verdict === 'done' ? undefined : verdict, target);
      this.#options.restart();
      return done(
        `${runName(target.run)} was ended and has failed; the process takes no more jobs, and ends when those in flight have`,
      );
    },
  };

  #ask(what: 'abort' | 'terminate', { run, place }: Target, reason: string): Promise<Verdict | undefined> {
    const { calls, inbox } = this.#options;
    if (!this.#isThere(place)) return Promise.resolve('gone');
    const until = inbox.now() + ANSWER_MS;
    const parameters = [{ ...place, jobId: run.jobId }, until, reason];
    return what === 'abort'
      ? calls.call<Verdict>(what, parameters, ANSWER_MS)
      : calls.callNow<Verdict>(what, parameters, ANSWER_MS);
  }

  #explain(verdict: Verdict | undefined, { place }: Target): ActionResult {
    if (verdict === 'gone' || !this.#isThere(place)) return GONE;
    if (verdict === undefined) return failed('the main thread does not answer: it is in native code');
    return refused(REFUSALS[verdict] ?? verdict);
  }

  #isThere({ slot, generation }: Target['place']): boolean {
    return this.#options.inbox.slot(slot)?.generation === generation;
  }

  async #isOver({ place }: Target): Promise<boolean> {
    const until = performance.now() + END_MS;
    while (this.#isThere(place)) {
      if (performance.now() > until) return false;
      await sleep(LOOK_MS);
    }
    return true;
  }
}

function planOf(transition: AlertTransition, text: (name: string) => string): string {
  const target = targetOf(transition);
  return isResult(target) ? `nothing would have been done: ${target.message}` : text(runName(target.run));
}
