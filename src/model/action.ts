/** The annotation of a rule that asks for actions when its alert begins to fire: names, separated by commas. */
export const ACTION_ANNOTATION = 'taskwarden_action';

/** The annotation by which `cancel-task` leaves tasks alone that are younger, such as 10m. */
export const MIN_AGE_ANNOTATION = 'taskwarden_action_min_age';

/** Actions that only look. */
export const CAPTURES = ['capture-stack', 'cpu-profile', 'heap-profile', 'heap-snapshot'] as const;

/** Every action that a rule may ask for. */
export const ACTIONS = [
  ...CAPTURES,
  'abort-run',
  'terminate-run',
  'kill-child',
  'cancel-task',
  'pause-queue',
  'exit',
] as const;

/** Those for which the thread of the runs has to be prepared. */
const THREAD_ACTIONS: readonly string[] = ['abort-run', 'terminate-run', 'pause-queue'];

export type ActionName = (typeof ACTIONS)[number];

/** Those that write to the Redis of a queue. */
export const QUEUE_ACTIONS: readonly string[] = ['cancel-task', 'pause-queue'];

/** The names in the text of the annotation, each once, in their order. */
export function actionNames(text: string | undefined): string[] {
  const names = (text ?? '').split(',').map((name) => name.trim());
  return [...new Set(names)].filter((name) => name !== '');
}

/** Whether the thread of the runs must be prepared for one of these actions. */
export function needThread(actions: readonly ActionName[]): boolean {
  return actions.some((name) => THREAD_ACTIONS.includes(name));
}

export function isAction(name: string): name is ActionName {
  return (ACTIONS as readonly string[]).includes(name);
}
