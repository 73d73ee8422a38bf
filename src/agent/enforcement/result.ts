import type { AlertTransition, RunPlace, RunReference } from '../../model/alert.ts';
import type { ActionResult } from '../actions.ts';

export function done(message: string): ActionResult {
  return { outcome: 'done', message };
}

export function refused(message: string): ActionResult {
  return { outcome: 'refused', message };
}

export function failed(message: string): ActionResult {
  return { outcome: 'failed', message };
}

export const GONE: ActionResult = { outcome: 'gone', message: 'the run has ended meanwhile' };

export interface Target {
  readonly run: RunReference;
  readonly place: RunPlace;
}

/** The run that an action is about: the first that the alert names, which holds the loop or is the oldest; or why there is none. */
export function targetOf({ labels, runs }: AlertTransition): Target | ActionResult {
  if (labels.task_name === undefined) return refused('the alert names no task: it has no label task_name');
  const [run] = runs;
  if (run?.active !== true) return GONE;
  const { place } = run;
  return place === undefined ? refused('the run is not in the main thread of this process') : { run, place };
}

/** As it is called in messages. */
export function runName({ task, jobId, attempt }: RunReference): string {
  const job = jobId === '' ? '' : ` of job ${jobId.slice(0, 100)}`;
  return `attempt ${attempt} at ${task.slice(0, 100)}${job}`;
}

export function isResult(value: Target | ActionResult): value is ActionResult {
  return 'outcome' in value;
}
