import type { Server } from './fleet.ts';
import type { Flight } from './flights.ts';

/** A task in flight beside the time for which it has run, by the clock of its server. */
export interface RunningTask {
  readonly flight: Flight;
  /** Undefined where its server tells no start. */
  readonly ageMs: number | undefined;
  /** The present time by the clock of its server. */
  readonly nowMs: number;
}

/** A process that runs tasks: one server, or several. */
export interface WorkerProcess {
  /** Of the keys that it uses. */
  readonly prefix: string;
  readonly host: string;
  readonly pid: number;
  /** When its first server started, by its own clock, ms since the Unix epoch. */
  readonly startedMs: number | undefined;
  readonly servers: readonly Server[];
  readonly running: readonly RunningTask[];
}

export function workersOf(prefix: string, servers: readonly Server[], nowMs: number): WorkerProcess[] {
  const byProcess = new Map<string, Server[]>();
  for (const server of servers) {
    const key = `${server.info.host}\n${server.info.pid}`;
    const own = byProcess.get(key);
    if (own === undefined) byProcess.set(key, [server]);
    else own.push(server);
  }
  return [...byProcess.values()].map((own) => {
    const { host, pid } = own[0]!.info;
    const starts = own.flatMap(({ info }) => info.startedMs ?? []);
    const startedMs = starts.length === 0 ? undefined : Math.min(...starts);
    return {
      prefix,
      host,
      pid,
      startedMs,
      servers: own,
      running: own.flatMap((server) => runningOf(server, nowMs)),
    };
  });
}

function runningOf({ clockMs, flights }: Server, redisMs: number): RunningTask[] {
  const nowMs = redisMs + clockMs;
  return [...(flights?.values() ?? [])].flatMap((flight) => {
    if (flight === null) return [];
    const ageMs = flight.startedMs === undefined ? undefined : Math.max(0, nowMs - flight.startedMs);
    return [{ flight, ageMs, nowMs }];
  });
}
