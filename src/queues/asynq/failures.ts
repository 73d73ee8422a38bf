import { elements, integer, text } from '../reply.ts';
import type { InstanceReading, Poll } from '../system.ts';
import { queueKey } from './keys.ts';
import { decodeTask } from './messages.ts';
import type { TypeNames } from './type-names.ts';

const SAMPLE = 20;
/** A message has the payload in it: larger ones are left unread. */
const MAX_BYTES = 64 * 1024;
/** Texts are compared by their beginning, digits aside: they tell a number of the task as a rule. */
const COMPARED = 200;

/** What the newest failed tasks of a queue are. */
export interface FailureSample {
  /** Tasks read, by type. */
  readonly byType: ReadonlyMap<string, number>;
  /** Different error texts among them. */
  readonly errors: number;
}

const STATES = ['retry', 'archived'] as const;
type State = (typeof STATES)[number];
/** Queues whose sizes are asked for in one poll. */
const LOOKED_AT = 5;

/**
 * Looks at the newest tasks that wait for a retry or are archived, where they have become more. The queues take turns: the sizes of
 * five in a poll, and a sample of one.
 */
export class Failures {
  readonly #prefix: string;
  readonly #names: TypeNames;
  /** Sizes at the last look, by queue, in the order of `STATES`; the queue looked at longest ago comes first. */
  readonly #sizes = new Map<string, readonly number[]>();
  readonly #grown = new Set<string>();
  readonly #samples = new Map<string, Map<State, FailureSample>>();

  constructor(prefix: string, names: TypeNames) {
    this.#prefix = prefix;
    this.#names = names;
  }

  readings(): InstanceReading[] {
    const readings: InstanceReading[] = [];
    for (const [name, samples] of this.#samples) {
      const queue = { prefix: this.#prefix, name };
      for (const [state, { byType, errors }] of samples) {
        const attributes = { 'queue.state': state === 'archived' ? 'dead' : state };
        readings.push({ metric: 'queue.failures.errors', attributes, value: errors, queue });
        for (const [type, value] of byType)
          readings.push({
            metric: 'task.failures.sampled',
            attributes: { ...attributes, 'task.name': type },
            value,
            queue,
          });
      }
    }
    return readings;
  }

  /** @param queues those that were served at the last poll */
  *poll(queues: ReadonlySet<string>): Poll<void> {
    yield* this.#look(queues);
    const [queue] = this.#grown;
    if (queue === undefined) return;
    this.#grown.delete(queue);
    const key = (part: string) => this.#key(queue, part);
    const lists = yield STATES.map((state) => ['ZREVRANGE', key(state), 0, SAMPLE - 1] as const);
    const ids = STATES.flatMap((state, at) =>
      elements(lists[at]).flatMap((id) =>
        text(id) === undefined ? [] : [{ state, task: key(`t:${text(id)}`) }],
      ),
    );
    const lengths = ids.length === 0 ? [] : yield ids.map(({ task }) => ['HSTRLEN', task, 'msg'] as const);
    const small = ids.filter((_, at) => (integer(lengths[at]) ?? Number.POSITIVE_INFINITY) <= MAX_BYTES);
    const messages = small.length === 0 ? [] : yield small.map(({ task }) => ['HGET', task, 'msg'] as const);
    const samples = new Map<State, FailureSample>();
    for (const state of STATES) {
      const own = messages.filter((_, at) => small[at]!.state === state);
      if (own.length > 0)
        samples.set(state, this.#sampleOf(own.filter((message) => Buffer.isBuffer(message))));
    }
    if (samples.size === 0) this.#samples.delete(queue);
    else this.#samples.set(queue, samples);
  }

  *#look(queues: ReadonlySet<string>): Poll<void> {
    for (const queue of queues) if (!this.#sizes.has(queue)) this.#sizes.set(queue, []);
    for (const queue of this.#sizes.keys()) if (!queues.has(queue)) this.#forget(queue);
    const next = [...this.#sizes.keys()].slice(0, LOOKED_AT);
    if (next.length === 0) return;
    const replies = yield next.flatMap((queue) =>
      STATES.map((state) => ['ZCARD', this.#key(queue, state)] as const),
    );
    for (const [at, queue] of next.entries()) {
      const before = this.#sizes.get(queue)!;
      const sizes = STATES.map((_, i) => integer(replies[at * STATES.length + i]) ?? 0);
      this.#sizes.delete(queue);
      this.#sizes.set(queue, sizes);
      for (const [i, state] of STATES.entries()) {
        if (sizes[i] === 0) this.#samples.get(queue)?.delete(state);
        if (sizes[i]! > (before[i] ?? 0)) this.#grown.add(queue);
      }
    }
  }

  #forget(queue: string): void {
    this.#sizes.delete(queue);
    this.#grown.delete(queue);
    this.#samples.delete(queue);
  }

  #key(queue: string, part: string): string {
    return queueKey({ prefix: this.#prefix, name: queue }, part);
  }

  #sampleOf(messages: readonly Buffer[]): FailureSample {
    const byType = new Map<string, number>();
    const errors = new Set<string>();
    for (const bytes of messages) {
      const task = decodeTask(bytes);
      if (task === undefined) continue;
      const type = this.#names.of(task.type);
      byType.set(type, (byType.get(type) ?? 0) + 1);
      errors.add(task.error.slice(0, COMPARED).replace(/\d+/g, '#'));
    }
    return { byType, errors: errors.size };
  }
}
