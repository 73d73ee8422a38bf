import type { Socket } from 'node:net';
import { threadMs } from '../../model/clock.ts';
import { runStorage } from '../context.ts';
import type { Connection, Exchange, Payer } from './connection.ts';
import { isFailure, outcomeOfError, outcomeOfStatus } from './outcome.ts';
import { type Server, SHARED, type TrafficTable } from './traffic.ts';

type Method = (this: unknown, ...args: unknown[]) => unknown;
export type Replace = (target: object, name: string, wrap: (original: Method) => Method) => () => void;

interface Marked {
  [CONNECTION]?: Connection;
  /** The socket below, on a TLS socket that was made upon one. */
  readonly _parent?: Marked | null;
}

/** A property of the socket, as HTTP/2 sessions hand out a proxy of theirs, which has the same properties. */
const CONNECTION = Symbol('taskwarden.connection');
/** Connections that are looked at every second; bytes of further ones count with their requests alone. */
const MAX_OPEN = 10_000;

/**
 * Whose bytes a connection carries, by the counters of its socket. They are charged to the one run whose requests are on it; while there
 * are none, to the run that opened it, until another one writes to it; in both cases until that run ends. All else is `shared`: it is not
 * split by guess.
 */
export class Connections {
  readonly #traffic: TrafficTable;
  readonly #replace: Replace;
  readonly #open = new Set<Connection>();
  #undo: (() => void) | undefined;
  #seesWriters: boolean | undefined;

  constructor(traffic: TrafficTable, replace: Replace) {
    this.#traffic = traffic;
    this.#replace = replace;
  }

  /** A client begins to connect, in the context of whoever wants it. */
  opened(socket: Socket): void {
    const known = this.known(socket);
    if (known !== undefined) this.#settle(known);
    const connection = known ?? this.of(socket);
    if (connection === undefined) return;
    connection.bytesRead = 0;
    connection.bytesWritten = 0;
    connection.server = undefined;
    const run = runStorage.getStore();
    connection.creator = undefined;
    socket.off('connect', askPeer).once('connect', askPeer);
    if (run === undefined || run.ended || !this.#seeWriters()) return;
    connection.creator = run;
    this.#note(run, connection);
  }

  /** The connection of a socket that has been seen before; also by the proxy of an HTTP/2 session. */
  known(socket: Socket): Connection | undefined {
    return (socket as Marked)[CONNECTION];
  }

  /** The connection of a socket; undefined for streams that count no bytes. */
  of(socket: Socket): Connection | undefined {
    const known = this.known(socket);
    if (known !== undefined) return known;
    if (typeof socket?.bytesRead !== 'number') return undefined;
    const connection: Connection = {
      socket,
      server: undefined,
      creator: undefined,
      users: [],
      bytesRead: socket.bytesRead,
      bytesWritten: sentBy(socket),
      above: undefined,
      isOfUndici: false,
      isCarrier: false,
    };
    Object.defineProperty(socket, CONNECTION, { value: connection });
    if (this.#open.size < MAX_OPEN) this.#open.add(connection);
    return connection;
  }

  /** A request goes onto a socket, before anything of it is written. */
  attach(exchange: Exchange, socket: Socket): void {
    const connection = this.of(socket);
    if (connection === undefined || exchange.isDone) return;
    const below = (socket as Marked)._parent?.[CONNECTION];
    if (below !== undefined && !below.isCarrier) this.#carry(below);
    this.#settle(connection);
    connection.server ??= exchange.server;
    connection.users.push(exchange);
    exchange.connection = connection;
    if (exchange.upgradeAt !== undefined) exchange.upgradeAt = connection.bytesRead;
    if (exchange.payer !== undefined) this.#note(exchange.payer, connection);
  }

  /** Where a request goes, when only its connection tells; nothing of it has been sent yet. */
  locate(exchange: Exchange, server: Server): void {
    if (exchange.isDone) return;
    exchange.server = server;
    if (exchange.connection !== undefined) exchange.connection.server = server;
    if (exchange.payer !== undefined) exchange.traffic = this.#traffic.of(exchange.payer.taskId, server);
  }

  /** A request has ended: with a response, unless it has an error. */
  finish(exchange: Exchange): void {
    if (exchange.isDone) return;
    exchange.isDone = true;
    const { connection } = exchange;
    if (connection !== undefined) {
      this.#settle(connection);
      connection.users.splice(connection.users.indexOf(exchange), 1);
      this.#forget(exchange.payer, connection);
    }
    this.#count(exchange);
  }

  /** A pool has a connection from now on. It hands it to whoever waits, in callbacks of whoever opened it: who writes cannot be told. */
  pooled(socket: Socket | undefined): void {
    const connection = socket && carrying(socket as Marked);
    if (connection?.creator !== undefined) yieldTo(undefined, connection, (each) => this.#settle(each));
  }

  /** The TLS socket that the run which opened a socket has written to, if it was made upon that one. */
  above(socket: object): object | undefined {
    return (socket as Marked)[CONNECTION]?.above;
  }

  /** A connection is no longer HTTP's, but goes on: a WebSocket, or a tunnel. */
  upgraded(exchange: Exchange): void {
    exchange.status ||= 101;
    this.finish(exchange);
    const { connection, payer } = exchange;
    if (connection === undefined || payer === undefined || payer.ended || !this.#seeWriters()) return;
    connection.creator = payer;
    this.#note(payer, connection);
  }

  /** Charges a run what its connections have carried so far. */
  settle(payer: Payer): void {
    for (const connection of payer.connections ?? []) this.#settle(connection);
  }

  /** A run ends, and has not been marked so yet. */
  ended(payer: Payer): void {
    for (const connection of payer.connections ?? []) {
      this.#settle(connection);
      if (connection.creator === payer) connection.creator = undefined;
      for (const exchange of connection.users)
        if (exchange.payer === payer && exchange.status !== 0) this.#count(exchange);
    }
    payer.connections = undefined;
  }

  /** Charges all that has been carried; to be called about once a second. */
  check(): void {
    for (const connection of this.#open) {
      this.#settle(connection);
      const isGone = connection.socket.destroyed;
      for (const exchange of [...connection.users]) {
        if (exchange.upgradeAt !== undefined && connection.bytesRead > exchange.upgradeAt)
          this.upgraded(exchange);
        else if (isGone) this.finish(exchange);
      }
      if (!isGone) continue;
      this.#open.delete(connection);
      connection.creator?.connections?.delete(connection);
    }
  }

  stop(): void {
    this.#open.clear();
    this.#undo?.();
  }

  #count(exchange: Exchange): void {
    const { payer, traffic, status, error } = exchange;
    if (exchange.isCounted || traffic === undefined) return;
    exchange.isCounted = true;
    const broken = exchange.timedOut ? 'timeout' : error === undefined ? undefined : outcomeOfError(error);
    const byStatus = status === 0 ? 'error' : outcomeOfStatus(status);
    const outcome = broken === undefined || (broken === 'aborted' && status >= 400) ? byStatus : broken;
    this.#traffic.addRequest(traffic, outcome, threadMs() - exchange.startMs);
    if (payer !== undefined && !payer.ended && isFailure(outcome)) payer.failedRequests++;
  }

  #settle(connection: Connection): void {
    const { bytesRead } = connection.socket;
    const bytesWritten = sentBy(connection.socket);
    const read = bytesRead - connection.bytesRead;
    const written = bytesWritten - connection.bytesWritten;
    if (read === 0 && written === 0) return;
    connection.bytesRead = bytesRead;
    connection.bytesWritten = bytesWritten;
    if (connection.isCarrier) return;
    const { users } = connection;
    const first = users[0];
    const payer = first === undefined ? connection.creator : first.payer;
    // The record of a run that has ended is away already.
    const isShared =
      payer === undefined ||
      payer.ended ||
      (users.length > 1 && users.some((other) => other.payer !== payer));
    if (isShared) {
      this.#traffic.addBytes(this.#traffic.of(SHARED, this.#serverOf(connection)), read, written);
      return;
    }
    this.#traffic.addBytes(
      first?.traffic ?? this.#traffic.of(payer.taskId, this.#serverOf(connection)),
      read,
      written,
    );
    payer.bytesIn += read;
    payer.bytesOut += written;
  }

  #serverOf(connection: Connection): Server {
    if (connection.server === undefined) {
      const { socket } = connection;
      const { remotePort } = socket;
      // Without a port it is a Unix domain socket, whose path no property tells.
      const address = (socket as { _host?: string | null })._host ?? socket.remoteAddress ?? 'unix';
      connection.server = this.#traffic.server(address, remotePort);
    }
    return connection.server;
  }

  #note(payer: Payer, connection: Connection): void {
    payer.connections ??= new Set();
    payer.connections.add(connection);
  }

  #forget(payer: Payer | undefined, connection: Connection): void {
    if (payer === undefined || connection.creator === payer) return;
    if (!connection.users.some((user) => user.payer === payer)) payer.connections?.delete(connection);
  }

  #carry(below: Connection): void {
    for (const exchange of [...below.users]) this.upgraded(exchange);
    this.#settle(below);
    below.isCarrier = true;
  }

  /** Whether it is seen who writes to a socket, from now on at the latest; without that no idle connection is a run's own. */
  #seeWriters(): boolean {
    if (this.#seesWriters !== undefined) return this.#seesWriters;
    try {
      const { Socket } = process.getBuiltinModule('node:net');
      const settle = (connection: Connection): void => this.#settle(connection);
      this.#undo = this.#replace(Socket.prototype, 'write', (original) => {
        return function (this: unknown, chunk, encoding, callback) {
          const connection = carrying(this as Marked);
          if (connection?.creator !== undefined && connection.users.length === 0) {
            if (connection.socket !== this) connection.above = this as Socket;
            yieldTo(runStorage.getStore(), connection, settle);
          }
          return original.call(this, chunk, encoding, callback);
        };
      });
      this.#seesWriters = true;
    } catch {
      this.#seesWriters = false;
    }
    return this.#seesWriters;
  }
}

/** The connection that a socket's bytes go over: its own, or that of the one below. */
function carrying({ [CONNECTION]: own, _parent: below }: Marked): Connection | undefined {
  return own ?? below?.[CONNECTION];
}

/** `bytesWritten` has what waits in JavaScript, too, and may never be sent: to a server that is not there, for one. */
function sentBy(socket: Socket): number {
  return (socket as { _bytesDispatched?: number })._bytesDispatched ?? socket.bytesWritten;
}

/** Somebody writes to a connection that a run has opened: if it is not that run, the connection is no longer its own. */
function yieldTo(
  writer: Payer | undefined,
  connection: Connection,
  settle: (connection: Connection) => void,
): void {
  if (writer === connection.creator) return;
  settle(connection);
  connection.creator = undefined;
}

/** Whom a socket is connected to can be asked only for as long as it is, or again once it has been asked. */
function askPeer(this: Socket): void {
  void this.remotePort;
}
