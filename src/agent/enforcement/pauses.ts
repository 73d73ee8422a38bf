import type { AlertTransition } from '../../model/alert.ts';
import type { Action, ActionResult } from '../actions.ts';
import type { MainCalls } from './main-calls.ts';
import { done, failed, refused } from './result.ts';

/** How long the thread may take, ms: it pauses when it comes to it, which may be at the end of a long block. */
const ANSWER_MS = 10_000;

interface Paused {
  readonly known: number;
  readonly paused: number;
}

/** `pause-queue`: the workers of this process take no more jobs of a queue while its alert fires. */
export function pauseQueue(calls: Pick<MainCalls, 'call'>): Action {
  return {
    plan: (transition) =>
      `the workers of queue ${queueOf(transition)?.queue ?? 'none'} would have been paused`,
    run: async (transition) => {
      const from = queueOf(transition);
      if (from === undefined)
        return refused('the alert names no queue: it has no label messaging_destination_name');
      const { framework, queue } = from;
      const by = transition.fingerprint;
      const answer = await calls.call<Paused>('pause', [framework, queue, by], ANSWER_MS);
      if (answer === undefined)
        return failed('the main thread does not answer: the workers are paused when it comes to it');
      if (answer.known === 0) return refused(`no worker of queue ${queue} in this process can be paused`);
      if (answer.paused === 0) return done(`the workers of queue ${queue} were paused already`);
      return done(`${workers(answer.paused)} of queue ${queue} paused, until the alert ends`);
    },
    end: async ({ fingerprint }): Promise<ActionResult | undefined> => {
      const resumed = await calls.call<number>('resume', [fingerprint], ANSWER_MS);
      if (resumed === 0) return undefined;
      return resumed === undefined
        ? failed('the main thread does not answer: the workers are resumed when it comes to it')
        : done(`${workers(resumed)} resumed, as the alert has ended`);
    },
  };
}

function workers(count: number): string {
  return count === 1 ? 'one worker' : `${count} workers`;
}

function queueOf({ labels, runs }: AlertTransition): { framework: string; queue: string } | undefined {
  const queue = labels.messaging_destination_name ?? (labels.task_name && runs[0]?.queue);
  if (queue === undefined || queue === '') return undefined;
  return { queue, framework: labels.messaging_system ?? runs[0]?.framework ?? 'bullmq' };
}
