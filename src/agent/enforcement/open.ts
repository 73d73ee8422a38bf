import type { Inbox } from '../../bridge/inbox.ts';
import type { Config } from '../../config/config.ts';
import type { ActionName } from '../../model/action.ts';
import type { Action } from '../actions.ts';
import type { MainThread } from '../blocks/main-thread.ts';
import { killChild } from './children.ts';
import { Exit } from './exit.ts';
import { MainCalls } from './main-calls.ts';
import { pauseQueue } from './pauses.ts';
import { RunActions } from './runs.ts';

/**
 * The actions that stop something, in the process of `inbox`, which is the main thread's.
 *
 * @param flush exports what there is
 */
export function openEnforcement(
  config: Config,
  inbox: Inbox,
  main: MainThread,
  flush: () => Promise<unknown>,
): Partial<Record<ActionName, Action>> {
  const calls = new MainCalls(main);
  const exit = new Exit({ calls, graceMs: config.actionsGrace, flush });
  const runs = new RunActions({ inbox, calls, restart: () => exit.restart() });
  return {
    'abort-run': runs.abort,
    'terminate-run': runs.terminate,
    'kill-child': killChild({ inbox, main }),
    'pause-queue': pauseQueue(calls),
    exit: exit.action,
  };
}
