import { MIN_AGE_ANNOTATION } from '../../model/action.ts';
import type { AlertTransition, RunReference, WatchedRun } from '../../model/alert.ts';
import { parseDuration } from '../../model/duration.ts';
import { together } from '../../queues/together.ts';
import type { QueueWatcher } from '../../queues/watcher.ts';
import type { Written } from '../../queues/writes.ts';
import type { Action, ActionResult } from '../actions.ts';
import { failed, GONE, refused } from '../enforcement/result.ts';
import { isNotLed, NOT_LED } from './not-led.ts';

/** Tasks that one alert may cancel. */
const MAX_TASKS = 10;

const TEXTS: Readonly<Record<Exclude<Written['outcome'], 'done' | 'failed'>, string>> = {
  gone: 'ended meanwhile',
  already: 'had been cancelled before',
  unheard: 'could not be: no server listens',
};

type Watched = RunReference & { readonly watched: WatchedRun };
type Result = Written & { readonly run: Watched };

/** `cancel-task`: the tasks that the alert names are cancelled by the channel of their library. */
export function cancelTask(write: QueueWatcher['write']): Action {
  return {
    plan: (transition) => {
      const tasks = tasksOf(transition);
      return 'outcome' in tasks
        ? `nothing would have been done: ${tasks.message}`
        : `${tasks.map(nameOf).join(', ')} would have been cancelled`;
    },
    run: async (transition) => {
      const tasks = tasksOf(transition);
      if ('outcome' in tasks) return tasks;
      const groups = Map.groupBy(tasks, ({ framework, watched: { redis, prefix } }) =>
        JSON.stringify([framework, redis, prefix]),
      );
      const results = await Promise.all([...groups.values()].map((group) => cancel(write, group)));
      return summary(results.flat());
    },
  };
}

/** The tasks in flight; or why there are none. */
function tasksOf({ labels, annotations, runs }: AlertTransition): Watched[] | ActionResult {
  if (labels.task_name === undefined) return refused('the alert names no task: it has no label task_name');
  const age = annotations[MIN_AGE_ANNOTATION] ?? '0s';
  const leastMs = parseDuration(age);
  if (leastMs === undefined)
    return refused(`${MIN_AGE_ANNOTATION} is no duration such as 10m: "${age.slice(0, 100)}"`);
  const active = runs.filter((run) => run.active);
  const tasks = active.filter((run): run is Watched => run.watched !== undefined);
  const old = tasks.filter(({ ageMs }) => ageMs >= leastMs);
  if (old.length > 0) return old.slice(0, MAX_TASKS);
  if (tasks.length > 0) return refused(`all of the tasks are younger than ${age}`);
  const system = labels.messaging_system ?? active[0]?.framework ?? 'asynq';
  return system === 'asynq'
    ? GONE
    : refused(`only tasks of asynq can be cancelled; for a run of ${system} there is abort-run`);
}

async function cancel(write: QueueWatcher['write'], tasks: readonly Watched[]): Promise<Result[]> {
  const { framework, watched } = tasks[0]!;
  const all = (written: Written): Result[] => tasks.map((run) => ({ ...written, run }));
  try {
    const written = await write({ ...watched, system: framework }, ({ cancel: one }, isSingle) =>
      together(
        tasks.map(({ jobId: id, queue, watched: { prefix, startedMs } }) =>
          one({ id, queue, prefix, startedMs }, isSingle),
        ),
      ),
    );
    if (written === undefined) return all({ outcome: 'gone' });
    if (isNotLed(written)) return all({ outcome: 'already', message: NOT_LED[written] });
    return tasks.map((run, at) => ({ ...written[at]!, run }));
  } catch (error) {
    return all({ outcome: 'failed', message: error instanceof Error ? error.message : String(error) });
  }
}

function summary(results: readonly Result[]): ActionResult {
  const done = results.filter(({ outcome }) => outcome === 'done');
  const others = results.filter(({ outcome }) => outcome !== 'done');
  const why = others.map(({ outcome, message, run }) =>
    outcome === 'failed' || message !== undefined
      ? `${nameOf(run)}: ${message}`
      : `${nameOf(run)} ${TEXTS[outcome as keyof typeof TEXTS]}`,
  );
  if (done.length > 0) {
    const message = `cancelled ${done.map(({ run }) => nameOf(run)).join(', ')}`;
    const { queue, jobId } = done[0]!.run;
    return {
      outcome: 'done',
      message: [message, ...why].join('; '),
      attributes: {
        'messaging.destination.name': queue,
        'messaging.message.id': jobId,
        'taskwarden.action.runs.messaging.message.id': done.map(({ run }) => run.jobId),
      },
    };
  }
  const message = why.join('; ');
  if (others.some(({ outcome }) => outcome === 'failed' || outcome === 'unheard')) return failed(message);
  if (others.some(({ outcome }) => outcome === 'already')) return refused(message);
  return { outcome: 'gone', message };
}

function nameOf({ jobId, queue }: RunReference): string {
  return `task ${jobId.slice(0, 100)} of queue ${queue.slice(0, 100)}`;
}
