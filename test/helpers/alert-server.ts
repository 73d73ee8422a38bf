import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type IncomingHttpHeaders, type RequestListener } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Certificates } from './certificates.ts';

export interface ReceivedPost {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** How it answers a request: a status, with Retry-After in seconds where given; `hang` never answers, `cut` ends the connection. */
export type Reply = { status: number; retryAfter?: number; text?: string } | 'hang' | 'cut';

/** A server that takes alerts, and misbehaves as it is told. */
export interface AlertServer {
  readonly url: string;
  readonly received: ReceivedPost[];
  /** What it answers from now on. */
  reply: Reply;
  /** Fulfils when there are `count` requests. */
  until(count: number): Promise<void>;
  stop(): Promise<void>;
}

/** Listens on a free port of the loopback interface; with certificates over TLS, which a client needs one for as well. */
export async function startAlertServer(certificates?: Certificates): Promise<AlertServer> {
  const watchers = new Set<() => void>();
  const listener: RequestListener = (request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (text: string) => {
      body += text;
    });
    request.on('end', () => {
      made.received.push({ path: request.url ?? '', headers: request.headers, body });
      const { reply } = made;
      if (reply === 'cut') request.socket.destroy();
      else if (reply !== 'hang') {
        if (reply.retryAfter !== undefined) response.setHeader('Retry-After', reply.retryAfter);
        response.writeHead(reply.status).end(reply.text);
      }
      for (const look of [...watchers]) look();
    });
  };
  const server =
    certificates === undefined
      ? createServer(listener)
      : createTlsServer(
          {
            cert: readFileSync(certificates.server.cert),
            key: readFileSync(certificates.server.key),
            ca: readFileSync(certificates.ca),
            requestCert: true,
            rejectUnauthorized: true,
          },
          listener,
        );
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const made: AlertServer = {
    url: `${certificates === undefined ? 'http' : 'https'}://127.0.0.1:${port}`,
    received: [],
    reply: { status: 200 },
    async until(count) {
      await new Promise<void>((resolve) => {
        const look = (): void => {
          if (made.received.length < count) return;
          watchers.delete(look);
          resolve();
        };
        watchers.add(look);
        look();
      });
    },
    async stop() {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
  return made;
}
