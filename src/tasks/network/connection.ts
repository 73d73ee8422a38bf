import type { Socket } from 'node:net';
import type { Server, Traffic } from './traffic.ts';

/** What network use is charged to: a run. */
export interface Payer {
  readonly taskId: number;
  readonly ended: boolean;
  requests: number;
  failedRequests: number;
  bytesIn: number;
  bytesOut: number;
  /** What it has opened or has used; undefined where nothing. */
  connections: Set<Connection> | undefined;
}

/** A request from its begin to the end of its response. */
export interface Exchange {
  /** Undefined outside of runs, and for what a run begins after its end. */
  readonly payer: Payer | undefined;
  traffic: Traffic | undefined;
  server: Server;
  /** ms of performance.now(). */
  readonly startMs: number;
  connection: Connection | undefined;
  /** Status of the response; 0 before there is one. */
  status: number;
  error: unknown;
  /** Whether the client has said that it waits no longer. */
  timedOut: boolean;
  /** Whether the connection becomes something else than HTTP, which nobody says: then bytes received before that. */
  upgradeAt: number | undefined;
  isCounted: boolean;
  isDone: boolean;
}

/** A client's socket, and what of its bytes has been charged. */
export interface Connection {
  readonly socket: Socket;
  server: Server | undefined;
  /** The run that opened it, for as long as nobody else is known to use it. */
  creator: Payer | undefined;
  /** Requests that are on it. */
  readonly users: Exchange[];
  bytesRead: number;
  bytesWritten: number;
  /** The TLS socket upon it that its creator writes to in its place. */
  above: Socket | undefined;
  /** Whether undici has it. */
  isOfUndici: boolean;
  /** Whether it carries another one, such as TLS through a proxy, which is counted instead. */
  isCarrier: boolean;
}
