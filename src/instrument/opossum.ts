import type { BreakerCounts } from '../tasks/breakers.ts';
import type { Host } from './host.ts';
import { replaceMethod } from './patch.ts';

/** What is read of opossum's CircuitBreaker. */
interface Breaker {
  readonly name: unknown;
  readonly group: unknown;
  readonly opened: boolean;
  readonly halfOpen: boolean;
}

interface Watched {
  readonly counts: BreakerCounts;
  state: 'closed' | 'open' | 'half_open' | undefined;
  /** Error of a call that is counted already: its failure is told, too. */
  counted: unknown;
}

/**
 * Follows every circuit breaker by the events that it emits. Nobody listens to them: a listener would be seen by `listenerCount`, counts
 * towards the warning about too many of them, and goes with `removeAllListeners`. The constructor's first call of `on`, when the breaker has its
 * name, tells of a new one.
 */
export function patchBreaker(exported: unknown, { breakers }: Host): () => void {
  if (breakers === undefined) return () => {};
  const { prototype } = exported as { prototype: object };
  const known = new WeakMap<object, Watched>();

  function watch(breaker: Breaker): Watched {
    let watched = known.get(breaker);
    if (watched === undefined) {
      const counts = breakers!.of(String(breaker.name), String(breaker.group));
      watched = { counts, state: undefined, counted: undefined };
      known.set(breaker, watched);
      move(watched, stateOf(breaker));
    }
    return watched;
  }

  function heard(breaker: Breaker, event: unknown, subject: unknown): void {
    const watched = watch(breaker);
    const { counts } = watched;
    switch (event) {
      case 'success':
      case 'failure':
        if (watched.counted !== undefined && watched.counted === subject) watched.counted = undefined;
        else counts.called(event);
        return;
      case 'timeout':
      case 'semaphoreLocked':
        watched.counted = subject;
        counts.called(event === 'timeout' ? 'timeout' : 'overloaded');
        return;
      case 'reject':
        counts.called('rejected');
        return;
      case 'fallback':
        counts.fellBack();
        return;
      case 'open':
        counts.opened();
        move(watched, 'open');
        return;
      case 'fire':
      case 'close':
      case 'halfOpen':
        move(watched, stateOf(breaker));
        return;
      case 'shutdown':
        move(watched, undefined);
    }
  }

  const undoOn = replaceMethod(prototype, 'on', (original) => {
    return function (this: unknown, ...args) {
      unseen(() => watch(this as Breaker));
      return original.apply(this, args);
    };
  });
  const undoEmit = replaceMethod(prototype, 'emit', (original) => {
    return function (this: unknown, ...args) {
      unseen(() => heard(this as Breaker, args[0], args[1]));
      return original.apply(this, args);
    };
  });
  return () => {
    undoEmit();
    undoOn();
  };
}

function move(watched: Watched, state: Watched['state']): void {
  if (watched.state === state) return;
  watched.counts.moved(watched.state, state);
  watched.state = state;
}

function stateOf(breaker: Breaker): 'closed' | 'open' | 'half_open' {
  if (breaker.opened) return 'open';
  return breaker.halfOpen ? 'half_open' : 'closed';
}

/** A breaker that an application has made so that it cannot be read is its own business, and goes on. */
function unseen(look: () => void): void {
  try {
    look();
  } catch {}
}
