import { elements, integer, text } from '../reply.ts';
import type { InstanceReading, Poll } from '../system.ts';
import { queueKey } from './keys.ts';
import { decodeTask } from './messages.ts';
import type { QueueSizes } from './queue-reader.ts';
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

type State = 'retry' | 'archived';

/** Looks at the newest tasks that wait for a retry or are archived, of one queue in a poll, where they have become more. */
export class Failures {
  readonly #prefix: string;
  readonly #names: TypeNames;
  readonly #sizes = new Map<string, QueueSizes>();
  /** Queue and state, with the size at the time of the last look, those that have grown first. */
  readonly #grown = new Set<string>();
  readonly #samples = new Map<string, Map<State, FailureSample>>();

  constructor(prefix: string, names: TypeNames) {
    this.#prefix = prefix;
    this.#names = names;
  }

  /** What each queue's own poll found. */
  observe(queue: string, sizes: QueueSizes): void {
    const before = this.#sizes.get(queue);
    this.#sizes.set(queue, sizes);
    if (sizes.retry === 0) this.#samples.get(queue)?.delete('retry');
    if (sizes.archived === 0) this.#samples.get(queue)?.delete('archived');
    if (sizes.retry > (before?.retry ?? 0) || sizes.archived > (before?.archived ?? 0))
      this.#grown.add(queue);
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

  *poll(): Poll<void> {
    const [queue] = this.#grown;
    if (queue === undefined) return;
    this.#grown.delete(queue);
    const key = (part: string) => queueKey({ prefix: this.#prefix, name: queue }, part);
    const states = ['retry', 'archived'] as const;
    const lists = yield states.map((state) => ['ZREVRANGE', key(state), 0, SAMPLE - 1] as const);
    const ids = states.flatMap((state, at) =>
      elements(lists[at]).flatMap((id) =>
        text(id) === undefined ? [] : [{ state, task: key(`t:${text(id)}`) }],
      ),
    );
    const lengths = ids.length === 0 ? [] : yield ids.map(({ task }) => ['HSTRLEN', task, 'msg'] as const);
    const small = ids.filter((_, at) => (integer(lengths[at]) ?? Number.POSITIVE_INFINITY) <= MAX_BYTES);
    const messages = small.length === 0 ? [] : yield small.map(({ task }) => ['HGET', task, 'msg'] as const);
    const samples = new Map<State, FailureSample>();
    for (const state of states) {
      const own = messages.filter((_, at) => small[at]!.state === state);
      if (own.length > 0)
        samples.set(state, this.#sampleOf(own.filter((message) => Buffer.isBuffer(message))));
    }
    if (samples.size === 0) this.#samples.delete(queue);
    else this.#samples.set(queue, samples);
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
