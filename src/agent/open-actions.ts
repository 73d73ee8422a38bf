import type { Inbox } from '../bridge/inbox.ts';
import type { Config } from '../config/config.ts';
import { type ActionName, CAPTURES, QUEUE_ACTIONS } from '../model/action.ts';
import { wallClock } from '../model/clock.ts';
import type { LogData } from '../model/log.ts';
import type { Registry } from '../store/registry.ts';
import { type Action, Actions } from './actions.ts';
import type { Blocks } from './blocks/blocks.ts';
import type { Captures } from './captures/captures.ts';
import type { Queues } from './queues.ts';

export interface OpenActionsOptions {
  readonly config: Config;
  readonly registry: Registry;
  /** Of the main thread; absent where there is no worker in this process. */
  readonly inbox: Inbox | undefined;
  readonly blocks: Blocks;
  readonly queues: Pick<Queues, 'placesOf' | 'write'>;
  /** Exports what there is. */
  readonly flush: () => Promise<unknown>;
  readonly onEvent: (record: LogData) => void;
  readonly warn: (text: string) => void;
}

export interface OpenActions {
  readonly actions: Actions;
  readonly captures: Captures | undefined;
  /** What keeps pauses of queues; absent where there can be none. */
  readonly pauses: { keep(): Promise<void>; readonly keepMs: number } | undefined;
}

type ByName = Partial<Record<ActionName, Action>>;

/** What rules may ask for in this process; what they may not is not even loaded. */
export async function openActions(options: OpenActionsOptions): Promise<OpenActions> {
  const { config, registry, inbox, blocks, queues, flush, onEvent, warn } = options;
  const allowed: readonly string[] = config.actions;
  let captures: Captures | undefined;
  let stopping: ByName = {};
  if (inbox !== undefined) {
    const { openCaptures } = await import('./captures/open.ts');
    captures = openCaptures(config, inbox, blocks, registry, warn);
    const looks: readonly string[] = [...CAPTURES, 'cancel-task'];
    if (!allowed.every((name) => looks.includes(name))) {
      const { openEnforcement } = await import('./enforcement/open.ts');
      stopping = openEnforcement(config, inbox, blocks.main, flush);
    }
  }
  let writing: ByName = {};
  let pauses: OpenActions['pauses'];
  if (allowed.some((name) => QUEUE_ACTIONS.includes(name))) {
    const { openQueueActions } = await import('./queue-actions/open.ts');
    ({ actions: writing, pauses } = openQueueActions(queues, stopping['pause-queue']));
  }
  const actions = new Actions({
    actions: { ...captures?.actions, ...stopping, ...writing },
    allowed: config.actions,
    dryRun: config.actionsDryRun,
    onEvent,
    count: (action, outcome) => registry.add('taskwarden.actions', { action, outcome }, 1),
    now: wallClock,
  });
  return { actions, captures, pauses };
}
