import type { Change } from './fleet.ts';
import type { Flight } from './flights.ts';

/** Share of its time after which a task is near its deadline. */
const NEAR = 0.8;
/** Tasks with less time than this may well end by themselves between a beat of their server and their deadline. */
const SHORTEST_MS = 30_000;

export type Standing = 'near' | 'over';

/** @param nowMs by the clock of the task's server */
export function standingOf({ startedMs, deadlineMs }: Flight, nowMs: number): Standing | undefined {
  if (deadlineMs === undefined) return undefined;
  if (nowMs >= deadlineMs) return 'over';
  return startedMs !== undefined && nowMs - startedMs >= NEAR * (deadlineMs - startedMs) ? 'near' : undefined;
}

/** Whether a task has so much time that it counts as given up when it is gone after its deadline. */
export function isTimed({ startedMs, deadlineMs }: Flight): boolean {
  return startedMs !== undefined && deadlineMs !== undefined && deadlineMs - startedMs >= SHORTEST_MS;
}

/**
 * Tasks that servers gave up at their deadline. asynq takes such a task out of its list and frees the place, but a handler that
 * does not look at its context runs on, unseen.
 */
export function* givenUp(changes: readonly Change[], nowMs: number): Generator<Flight> {
  for (const { before, now } of changes) {
    if (now?.flights === undefined) continue;
    for (const flight of before.flights?.values() ?? []) {
      if (flight === null || now.flights.has(flight.id)) continue;
      const { startedMs, deadlineMs } = flight;
      if (startedMs === undefined || deadlineMs === undefined || deadlineMs - startedMs < SHORTEST_MS)
        continue;
      if (deadlineMs <= nowMs + now.clockMs) yield flight;
    }
  }
}
