import { elements, integer, text } from '../reply.ts';
import type { Command, QueueRef, Reading, Reply } from '../system.ts';
import { queueKey } from './keys.ts';
import { decodeTask } from './messages.ts';
import { TypeNames } from './type-names.ts';

const SAMPLE = 20;
/** A message has the payload in it: larger ones are left unread. */
const MAX_BYTES = 64 * 1024;
/** Texts are compared by their beginning, digits aside: they tell a number of the task as a rule. */
const COMPARED = 200;

const STATES = ['retry', 'archived'] as const;
type State = (typeof STATES)[number];

/** A task whose message is to be read, where it is small. */
interface Open {
  readonly state: State;
  readonly id: string;
  isSmall: boolean;
}

/**
 * What the newest tasks are that wait for a retry or are archived, looked at when these have become more. A message that was read is not read
 * again, and a poll asks for as much as it has commands left: a whole sample may take twenty of them.
 */
export class Failures {
  readonly #queue: QueueRef;
  readonly #names = new TypeNames();
  readonly #sizes = new Map<State, number>();
  readonly #grown = new Set<State>();
  /** Type and error of the tasks in the sample, by id. */
  readonly #samples = new Map<State, Map<string, { readonly type: string; readonly error: string }>>();
  #open: Open[] = [];
  /** The state whose newest tasks were asked for. */
  #listed: State | undefined;

  constructor(queue: QueueRef) {
    this.#queue = queue;
  }

  /** Takes the number of tasks in a state; undefined where it is not known. */
  sized(state: State, size: number | undefined): void {
    if (size === undefined) return;
    if (size > (this.#sizes.get(state) ?? 0)) this.#grown.add(state);
    this.#sizes.set(state, size);
    if (size > 0) return;
    this.#grown.delete(state);
    this.#samples.delete(state);
    this.#open = this.#open.filter((task) => task.state !== state);
  }

  /** What to ask now, `limit` commands at most. */
  commands(limit: number): Command[] {
    this.#listed = undefined;
    if (this.#open.length > 0)
      return this.#open.slice(0, limit).map(({ id, isSmall }) => {
        const task = queueKey(this.#queue, `t:${id}`);
        return isSmall ? ['HGET', task, 'msg'] : ['HSTRLEN', task, 'msg'];
      });
    if (limit < 1) return [];
    [this.#listed] = this.#grown;
    if (this.#listed === undefined) return [];
    return [['ZREVRANGE', queueKey(this.#queue, this.#listed), 0, SAMPLE - 1]];
  }

  /** Takes the answers to `commands`. */
  take(replies: readonly Reply[]): void {
    if (replies.length === 0) return;
    if (this.#listed !== undefined) {
      this.#list(this.#listed, replies[0]);
      return;
    }
    const asked = this.#open.splice(0, replies.length);
    const small = asked.filter((task, at) => {
      if (task.isSmall) {
        this.#read(task, replies[at]);
        return false;
      }
      task.isSmall = (integer(replies[at]) ?? Number.POSITIVE_INFINITY) <= MAX_BYTES;
      return task.isSmall;
    });
    this.#open.unshift(...small);
  }

  readings(): Reading[] {
    return [...this.#samples].flatMap(([state, sample]) => {
      const attributes = { 'queue.state': state === 'archived' ? 'dead' : state };
      const tasks = [...sample.values()];
      if (tasks.length === 0) return [];
      const errors = new Set(tasks.map(({ error }) => error)).size;
      const byType = Map.groupBy(tasks, ({ type }) => type);
      return [
        { metric: 'queue.failures.errors', attributes, value: errors } as const,
        ...[...byType].map(
          ([type, own]) =>
            ({
              metric: 'task.failures.sampled',
              attributes: { ...attributes, 'task.name': type },
              value: own.length,
            }) as const,
        ),
      ];
    });
  }

  #list(state: State, reply: Reply | undefined): void {
    this.#grown.delete(state);
    const before = this.#samples.get(state);
    const ids = elements(reply).flatMap((id) => text(id) ?? []);
    const known = ids.flatMap((id) => {
      const task = before?.get(id);
      return task === undefined ? [] : [[id, task] as const];
    });
    this.#samples.set(state, new Map(known));
    this.#open = ids.filter((id) => before?.has(id) !== true).map((id) => ({ state, id, isSmall: false }));
  }

  #read({ state, id }: Open, reply: Reply | undefined): void {
    const task = Buffer.isBuffer(reply) ? decodeTask(reply) : undefined;
    if (task === undefined) return;
    const error = task.error.slice(0, COMPARED).replace(/\d+/g, '#');
    this.#samples.get(state)?.set(id, { type: this.#names.of(task.type), error });
  }
}
