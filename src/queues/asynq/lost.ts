import { text } from '../reply.ts';
import type { Poll } from '../system.ts';
import type { Change, Server } from './fleet.ts';
import type { Flight } from './flights.ts';
import { queueKey } from './keys.ts';

const MAX_LOST = 1000;
/** Tasks whose state is asked for in one poll, in turns. */
const MAX_ASKED = 100;

/** A task that is still in flight by its state, but whose server shows no sign of life. */
export interface LostTask {
  readonly flight: Flight;
  readonly server: Server;
}

/**
 * Tasks in the hands of servers that are gone. asynq's own recovery takes one to two minutes to give them back; a server's
 * description lapses 10 s after its last sign of life. One that stops in good order has let go of its tasks by then.
 */
export class LostTasks {
  readonly #prefix: string;
  #tasks = new Map<string, LostTask>();

  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  get tasks(): readonly LostTask[] {
    return [...this.#tasks.values()];
  }

  *poll(changes: readonly Change[], servers: readonly Server[]): Poll<void> {
    for (const { before, now } of changes) {
      if (now !== undefined) continue;
      for (const flight of before.flights?.values() ?? []) {
        if (flight === null || this.#tasks.size >= MAX_LOST) continue;
        this.#tasks.set(`${flight.queue}\n${flight.id}`, { flight, server: before });
      }
    }
    const asked = [...this.#tasks].slice(0, MAX_ASKED);
    if (asked.length === 0) return;
    const states = yield asked.map(([, { flight }]) => {
      const key = queueKey({ prefix: this.#prefix, name: flight.queue }, `t:${flight.id}`);
      return ['HGET', key, 'state'] as const;
    });
    for (const [at, [key, task]] of asked.entries()) {
      const state = states[at];
      this.#tasks.delete(key);
      const recovered = servers.some(
        ({ flights }) => flights?.get(task.flight.id)?.queue === task.flight.queue,
      );
      if (!recovered && (state instanceof Error || text(state) === 'active')) this.#tasks.set(key, task);
    }
  }
}
