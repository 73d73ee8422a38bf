import {
  BREAKER_OUTCOMES,
  type BreakerRow,
  HANDLE_TYPES,
  type ServerKey,
  type TallyName,
  type TallyRow,
  type TaskKey,
  type Told,
} from './protocol.ts';

/** Queues that are kept; a worker knows far fewer. */
const MAX_QUEUES = 1000;

/** Keeps what has been written into the ring once and for all, for an agent that comes after the one that reads it. */
export class ToldOnce {
  readonly #tasks: TaskKey[] = [];
  readonly #servers: ServerKey[] = [];
  /** As JSON: it holds what can be sent, and nothing of the application's. */
  readonly #queues = new Set<string>();
  readonly #open = new Map<string, TallyRow>();
  readonly #breakers = new Map<string, BreakerRow>();

  task(id: number, key: TaskKey): void {
    this.#tasks[id] = key;
  }

  server({ id, address, port }: ServerKey & { readonly id: number }): void {
    this.#servers[id] = { address, port };
  }

  queue(seen: string): void {
    if (this.#queues.size < MAX_QUEUES) this.#queues.add(seen);
  }

  tally(rows: readonly TallyRow[]): void {
    for (const [taskId, name, delta] of rows) {
      if (!isHandle(name)) continue;
      const key = `${name} ${taskId}`;
      const open = (this.#open.get(key)?.[2] ?? 0) + delta;
      if (open === 0) this.#open.delete(key);
      else this.#open.set(key, [taskId, name, open]);
    }
  }

  breaker({ name, group, states }: BreakerRow): void {
    const key = `${name}\u0001${group}`;
    const known = this.#breakers.get(key);
    if (known === undefined) {
      const calls = BREAKER_OUTCOMES.map(() => 0);
      this.#breakers.set(key, { name, group, states: [...states], calls, openings: 0, fallbacks: 0 });
    } else for (const [index, delta] of states.entries()) known.states[index]! += delta;
  }

  /** @param upTo bytes written to the ring by now */
  all(upTo: number): Told {
    return {
      tasks: this.#tasks,
      servers: this.#servers,
      queues: [...this.#queues].map((seen) => JSON.parse(seen) as object),
      open: [...this.#open.values()],
      breakers: [...this.#breakers.values()],
      upTo,
    };
  }
}

/** What is told as a change, and asked for as a state. */
export function isHandle(name: TallyName): boolean {
  return (HANDLE_TYPES as readonly string[]).includes(name);
}
