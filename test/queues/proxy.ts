import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';

/** A way to a Redis that can be cut, and slowed down. */
export interface Proxy {
  readonly url: string;
  /** Connections since the start, also those that were refused as soon as they came. */
  accepted(): number;
  /** Cuts all connections and accepts none. */
  down(): Promise<void>;
  up(): Promise<void>;
  /** Answers take this much longer, ms; `Infinity`: they never come. */
  slow(ms: number): void;
  close(): Promise<void>;
}

export async function startProxy(target: number): Promise<Proxy> {
  const sockets = new Set<Socket>();
  let accepted = 0;
  let delayMs = 0;
  let port = 0;
  let server: Server | undefined;
  const listen = async (): Promise<void> => {
    server = createServer((client) => {
      accepted++;
      const redis = connect(target, '127.0.0.1');
      for (const [socket, other] of [
        [client, redis],
        [redis, client],
      ] as const) {
        sockets.add(socket);
        socket.on('error', () => {});
        socket.on('close', () => {
          sockets.delete(socket);
          other.destroy();
        });
      }
      client.on('data', (chunk) => redis.write(chunk));
      redis.on('data', (chunk) => {
        if (delayMs === Number.POSITIVE_INFINITY) return;
        if (delayMs === 0) client.write(chunk);
        // A timer may come up to a millisecond early.
        else setTimeout(() => client.writable && client.write(chunk), delayMs + 1);
      });
    }).listen(port, '127.0.0.1');
    await once(server, 'listening');
    port = (server.address() as { port: number }).port;
  };
  const down = async (): Promise<void> => {
    const closed = server?.listening === true ? once(server, 'close') : undefined;
    server?.close();
    for (const socket of sockets) socket.destroy();
    await closed;
  };
  await listen();
  return {
    url: `redis://127.0.0.1:${port}`,
    accepted: () => accepted,
    down,
    up: listen,
    slow(ms) {
      delayMs = ms;
    },
    close: down,
  };
}
