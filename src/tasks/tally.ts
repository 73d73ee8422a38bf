import type { Outbox } from '../bridge/outbox.ts';
import type { TallyName, TallyRow } from '../bridge/protocol.ts';

/** Rows of one record: what a record may hold is bounded. */
const MAX_ROWS = 300;

/** What is counted by task and is no part of a run's record, gathered between two heartbeats. */
export class Tally {
  readonly #counts = new Map<TallyName, Map<number, number>>();

  /** @param taskId what the outbox gave for the task */
  add(taskId: number, name: TallyName, count: number): void {
    let tasks = this.#counts.get(name);
    if (tasks === undefined) {
      tasks = new Map();
      this.#counts.set(name, tasks);
    }
    tasks.set(taskId, (tasks.get(taskId) ?? 0) + count);
  }

  /** Hands over what has been counted; what the ring has no room for waits for the next time. */
  flush(outbox: Outbox): void {
    const rows: TallyRow[] = [];
    for (const [name, tasks] of this.#counts)
      for (const [taskId, count] of tasks) if (count !== 0) rows.push([taskId, name, count]);
    this.#counts.clear();
    for (let at = 0; at < rows.length; at += MAX_ROWS) {
      const part = rows.slice(at, at + MAX_ROWS);
      if (!outbox.tally(part)) for (const [taskId, name, count] of part) this.add(taskId, name, count);
    }
  }
}
