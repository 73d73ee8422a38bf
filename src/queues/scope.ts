import type { Labels } from '../model/labels.ts';
import type { Registry } from '../store/registry.ts';
import { Gauges } from './gauges.ts';
import { errorIn, type Outcome, outcomeOf } from './outcome.ts';
import type { Discovery, InstanceReader, Poll, QueueReader, QueueSystem, Reading } from './system.ts';
import { together, watched } from './together.ts';

/** Queues of one scope that are watched at most. */
const MAX_QUEUES = 5000;
/** A queue that was found and is gone for so many polls is let go. */
const GONE_POLLS = 3;
/** Readers ask for some figures in turns, so that what is wrong with a key is seen again at every eighth poll at the latest. */
const TURNS = 8;

interface Watched {
  readonly reader: QueueReader;
  readonly attributes: Labels;
  readonly gauges: Gauges;
  /** Named by the configuration or seen in this process, and not only found. */
  readonly pinned: boolean;
  gone: number;
  /** What the last poll that failed came to, and the polls since. */
  failed?: { readonly outcome: Outcome; polls: number };
}

export interface ScopeOptions {
  readonly system: QueueSystem;
  readonly prefix: string;
  readonly instance: string;
  readonly registry: Registry;
  readonly onError: (error: unknown) => void;
}

/** The queues of one system under one prefix of one Redis. */
export class Scope {
  readonly #options: ScopeOptions;
  readonly #queues = new Map<string, Watched>();
  readonly #totals: InstanceReader | undefined;
  readonly #gauges: Gauges;
  readonly #common: Labels;

  constructor(options: ScopeOptions) {
    const { system, prefix, instance, registry } = options;
    this.#options = options;
    this.#totals = system.instance?.(prefix, instance);
    this.#gauges = new Gauges(registry);
    this.#common = {
      'messaging.system': system.name,
      'redis.instance': instance,
      ...(prefix !== system.prefix && { 'queue.prefix': prefix }),
    };
  }

  discovery(): Discovery {
    return this.#options.system.discovery(this.#options.prefix);
  }

  /** Adds a queue; one too many is told as a fault. @param pinned whether it stays when it is gone */
  add(name: string, pinned: boolean): void {
    const known = this.#queues.get(name);
    if (known !== undefined && (known.pinned || !pinned)) return;
    if (known === undefined && this.#queues.size >= MAX_QUEUES) {
      this.#options.onError(new Error(`more than ${MAX_QUEUES} queues; the others are not watched`));
      return;
    }
    const { system, prefix, registry } = this.#options;
    const queue = { prefix, name };
    this.#queues.set(name, {
      reader: known?.reader ?? system.reader(queue),
      attributes: this.#attributes(name),
      gauges: known?.gauges ?? new Gauges(registry),
      pinned,
      gone: 0,
    });
  }

  has(name: string): boolean {
    return this.#queues.has(name);
  }

  /** Polls all queues. @param nowMs the clock of Redis */
  *poll(nowMs: number): Poll<void> {
    const totals = this.#totals;
    yield* together([
      ...[...this.#queues].map(([name, queue]) => this.#pollQueue(name, queue, nowMs)),
      ...(totals === undefined ? [] : [this.#pollTotals(totals, nowMs)]),
    ]);
  }

  /** All queues have come to this: their figures are unknown. */
  fail(outcome: Outcome): void {
    for (const queue of this.#queues.values()) this.#publish(queue, [], outcome);
    this.#gauges.endRound();
  }

  /** Another agent polls: this one says nothing of the queues. */
  silence(): void {
    for (const { gauges } of this.#queues.values()) gauges.endRound();
    this.#gauges.endRound();
  }

  *#pollQueue(name: string, queue: Watched, nowMs: number): Poll<void> {
    let error: Error | undefined;
    const fault = (thrown: unknown): readonly Reading[] => {
      this.#options.onError(thrown);
      error = thrown instanceof Error ? thrown : new Error(String(thrown));
      return [];
    };
    const readings = yield* watched<readonly Reading[]>(
      queue.reader.poll(nowMs),
      (replies) => {
        error ??= errorIn(replies);
      },
      fault,
    );
    const outcome = this.#outcome(queue, error, readings.length === 0);
    queue.gone = outcome === 'gone' ? queue.gone + 1 : 0;
    if (queue.gone >= GONE_POLLS && !queue.pinned) {
      queue.gauges.endRound();
      this.#queues.delete(name);
    } else this.#publish(queue, readings, outcome);
  }

  #outcome(queue: Watched, error: Error | undefined, isEmpty: boolean): Outcome {
    if (error !== undefined) queue.failed = { outcome: outcomeOf(error), polls: 0 };
    else if (queue.failed !== undefined && ++queue.failed.polls >= TURNS) delete queue.failed;
    return queue.failed?.outcome ?? (isEmpty ? 'gone' : 'ok');
  }

  *#pollTotals(totals: InstanceReader, nowMs: number): Poll<void> {
    const fault = (thrown: unknown): [] => {
      this.#options.onError(thrown);
      return [];
    };
    const readings = yield* watched(totals.poll(nowMs), () => {}, fault);
    for (const { metric, attributes, value, queue } of readings) {
      const of = queue === undefined ? this.#common : this.#attributes(queue.name);
      this.#gauges.set(metric, { ...of, ...attributes }, value);
    }
    this.#gauges.endRound();
  }

  #publish({ gauges, attributes }: Watched, readings: readonly Reading[], outcome: Outcome): void {
    for (const { metric, attributes: own, value } of readings) gauges.set(metric, own, value, attributes);
    gauges.set('queue.poll.status', { 'queue.poll.outcome': outcome }, 1, attributes);
    gauges.endRound();
  }

  #attributes(name: string): Labels {
    return { ...this.#common, 'messaging.destination.name': name };
  }
}
