import type { AlertTransition } from '../../model/alert.ts';
import type { QueuePlace, QueueWatcher } from '../../queues/watcher.ts';
import type { Action, ActionResult } from '../actions.ts';
import { done, failed, refused } from '../enforcement/result.ts';
import { isNotLed, NOT_LED } from './not-led.ts';

/** How long a pause lasts that nobody keeps: its watcher has died. It is kept several times in that time. */
const LASTS_MS = 60_000;
export const KEEP_MS = 15_000;

export interface QueuePausesOptions {
  readonly placesOf: QueueWatcher['placesOf'];
  readonly write: QueueWatcher['write'];
  /** Wall clock, ms since the Unix epoch. */
  readonly now: () => number;
}

interface Named {
  readonly place: QueuePlace;
  readonly queue: string;
}

interface Held extends Named {
  readonly mark: string;
  /** Fingerprints of the alerts that it is for. */
  readonly alerts: Set<string>;
}

/** `pause-queue` where the queue itself is paused, for all workers, while its alert fires. */
export class QueuePauses {
  readonly #options: QueuePausesOptions;
  readonly #held = new Map<string, Held>();
  /** One at a time: an alert that ends must not resume what another has just paused. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(options: QueuePausesOptions) {
    this.#options = options;
  }

  readonly action: Action = {
    plan: (transition) => {
      const named = this.#named(transition);
      return 'outcome' in named
        ? `nothing would have been done: ${named.message}`
        : `queue ${named.queue} would have been paused`;
    },
    run: (transition) => this.#inTurn(() => this.#pause(transition)),
    end: ({ fingerprint }) => this.#inTurn(() => this.#resume(fingerprint)),
  };

  /** Has the pauses last for another while. Called more often than they end. */
  keep(): Promise<void> {
    if (this.#held.size === 0) return Promise.resolve();
    return this.#inTurn(async () => {
      const kept = await Promise.allSettled([...this.#held].map(([key, held]) => this.#keep(key, held)));
      for (const each of kept) if (each.status === 'rejected') throw each.reason;
    });
  }

  async #keep(key: string, { place, queue, mark }: Held): Promise<void> {
    const kept = await this.#options.write(place, (writes) =>
      writes.keep({ prefix: place.prefix, name: queue }, mark, LASTS_MS),
    );
    if (kept === undefined || isNotLed(kept)) return;
    // Somebody has resumed it, and knows better.
    if (kept.outcome === 'gone') this.#held.delete(key);
    if (kept.outcome === 'failed')
      throw new Error(`the pause of queue ${queue} cannot be kept: ${kept.message}`);
  }

  async #pause(transition: AlertTransition): Promise<ActionResult> {
    const named = this.#named(transition);
    if ('outcome' in named) return named;
    const { place, queue } = named;
    const paused = await this.#options.write(place, (writes) =>
      writes.pause({ prefix: place.prefix, name: queue }, this.#options.now(), LASTS_MS),
    );
    if (isNotLed(paused)) return refused(NOT_LED[paused]);
    if (paused?.outcome === 'failed') return failed(paused.message ?? '');
    if (paused?.mark === undefined) return refused(`queue ${queue} is paused already, and stays so`);
    const key = JSON.stringify(named);
    const held = this.#held.get(key) ?? { ...named, mark: paused.mark, alerts: new Set() };
    this.#held.set(key, { ...held, mark: paused.mark });
    held.alerts.add(transition.fingerprint);
    return done(`queue ${queue} is paused for all workers, until the alert ends`);
  }

  async #resume(fingerprint: string): Promise<ActionResult | undefined> {
    const [key, held] = [...this.#held].find(([, { alerts }]) => alerts.has(fingerprint)) ?? [];
    if (key === undefined || held === undefined) return undefined;
    const { place, queue, mark, alerts } = held;
    alerts.delete(fingerprint);
    if (alerts.size > 0) return undefined;
    this.#held.delete(key);
    const resumed = await this.#options.write(place, (writes) =>
      writes.resume({ prefix: place.prefix, name: queue }, mark),
    );
    if (isNotLed(resumed)) return refused(`${NOT_LED[resumed]}; the pause ends by itself unless it is kept`);
    if (resumed?.outcome === 'failed') return failed(resumed.message ?? '');
    if (resumed?.outcome === 'already') return refused(`somebody has paused queue ${queue} since`);
    return resumed?.outcome === 'done'
      ? done(`queue ${queue} is resumed, as the alert has ended`)
      : { outcome: 'gone', message: `somebody has resumed queue ${queue} already` };
  }

  /** The one queue that the alert names, or why there is none. */
  #named({ labels, runs }: AlertTransition): Named | ActionResult {
    const queue = labels.messaging_destination_name ?? (labels.task_name && runs[0]?.queue);
    if (queue === undefined || queue === '')
      return refused('the alert names no queue: it has no label messaging_destination_name');
    const system = labels.messaging_system ?? runs[0]?.framework ?? 'asynq';
    if (system !== 'asynq')
      return refused(`queues of ${system} are paused by the agents of their workers, for their process`);
    const { redis_instance, queue_prefix } = labels;
    const [place, another] = this.#options
      .placesOf(system, queue)
      .filter(
        ({ redis, prefix }) => (redis_instance ?? redis) === redis && (queue_prefix ?? prefix) === prefix,
      );
    if (place === undefined) return refused(`no queue ${queue} of asynq is watched here`);
    return another === undefined
      ? { place, queue }
      : refused(`there are several queues ${queue}, and the alert has no label redis_instance`);
  }

  #inTurn<T>(act: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(act);
    this.#turn = turn.catch(() => {});
    return turn;
  }
}

/**
 * Pauses the queue where it can be, else this process's workers of it.
 *
 * @param own absent where there are no workers
 */
export function eitherPause(watched: Action, own: Action | undefined): Action {
  if (own === undefined) return watched;
  /** Alerts whose pause is one of the queue. */
  const remote = new Set<string>();
  const isRemote = ({ labels, runs }: AlertTransition): boolean =>
    (labels.messaging_system ?? runs[0]?.framework) === 'asynq';
  const of = (transition: AlertTransition): Action => (isRemote(transition) ? watched : own);
  return {
    plan: (transition) => of(transition).plan!(transition),
    run: (transition, evidence) => {
      if (isRemote(transition)) remote.add(transition.fingerprint);
      return of(transition).run(transition, evidence);
    },
    end: (transition) => (remote.delete(transition.fingerprint) ? watched : own).end!(transition),
  };
}
