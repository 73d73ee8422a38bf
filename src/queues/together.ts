import type { Command, Poll, Reply } from './system.ts';

type Learnt<P> = P extends Poll<infer L> ? L : never;

/**
 * Conversations side by side, as one: each round holds the commands of all that still have some.
 *
 * @returns what each learnt, in the order of `polls`
 */
export function* together<const Polls extends readonly Poll<unknown>[]>(
  polls: Polls,
): Poll<{ -readonly [At in keyof Polls]: Learnt<Polls[At]> }> {
  const learnt = new Array<unknown>(polls.length);
  let open = polls.map((poll, at) => ({ poll, at, step: poll.next() }));
  for (;;) {
    open = open.filter(({ step, at }) => {
      if (step.done === true) learnt[at] = step.value;
      return step.done !== true;
    });
    if (open.length === 0) return learnt as { -readonly [At in keyof Polls]: Learnt<Polls[At]> };
    const replies = yield open.flatMap(({ step }) => step.value as readonly Command[]);
    let from = 0;
    for (const conversation of open) {
      const { length } = conversation.step.value as readonly Command[];
      conversation.step = conversation.poll.next(replies.slice(from, from + length));
      from += length;
    }
  }
}

/** A conversation whose replies are seen by `see`, and whose fault ends it alone: `fault` then says what it learnt. */
export function* watched<Learnt>(
  poll: Poll<Learnt>,
  see: (replies: readonly Reply[]) => void,
  fault: (error: unknown) => Learnt,
): Poll<Learnt> {
  try {
    let step = poll.next();
    while (step.done !== true) {
      const replies = yield step.value;
      see(replies);
      step = poll.next(replies);
    }
    return step.value;
  } catch (error) {
    return fault(error);
  }
}
