import type { Agent, ClientRequest, IncomingMessage, RequestOptions } from 'node:http';

/** What a server answered. */
export interface Answer {
  readonly status: number;
  readonly statusText: string;
  /** At most 64 KiB of it. */
  readonly body: Buffer;
  /** When the server says so, ms. */
  readonly retryAfterMs: number | undefined;
}

/** Makes one request. Throws at once when the options cannot be used; rejects when there is no answer within `timeoutMs`. */
export type Send = (
  url: URL,
  options: RequestOptions,
  body: Uint8Array | string,
  timeoutMs: number,
) => Promise<Answer>;

/** Of a response that no one should need to be longer. */
const MAX_RESPONSE = 64 * 1024;

/** Node's client of a protocol, `http:` or `https:`, with an agent that keeps connections; loaded for those that need it. */
export async function httpClient(protocol: string): Promise<{ send: Send; keepAlive: () => Agent }> {
  const { request, Agent } = await (protocol === 'https:' ? import('node:https') : import('node:http'));
  const send: Send = (url, options, body, timeoutMs) => {
    const sent = request(url, { ...options, method: 'POST' });
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => sent.destroy(timedOut(timeoutMs)), timeoutMs);
      timer.unref();
      sent.on('response', (response) => {
        resolve(read(response).finally(() => clearTimeout(timer)));
      });
      sent.on('error', (error) => {
        clearTimeout(timer);
        // A server may close an idle connection at the very moment we use it: that says nothing about the server.
        if (wasStale(sent, error)) resolve(send(url, options, body, timeoutMs));
        else reject(error);
      });
      sent.end(body);
    });
  };
  return { send, keepAlive: () => new Agent({ keepAlive: true }) };
}

function wasStale(request: ClientRequest, error: NodeJS.ErrnoException): boolean {
  return request.reusedSocket && (error.code === 'ECONNRESET' || error.code === 'EPIPE');
}

function timedOut(timeoutMs: number): Error {
  return Object.assign(new Error(`no answer within ${timeoutMs} ms`), { code: 'ETIMEDOUT' });
}

async function read(response: IncomingMessage): Promise<Answer> {
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size <= MAX_RESPONSE) chunks.push(chunk);
    }
  } catch {
    // The status has arrived, and it is what counts.
  }
  return {
    status: response.statusCode ?? 0,
    statusText: response.statusMessage ?? '',
    body: Buffer.concat(chunks),
    retryAfterMs: retryAfter(response.headers['retry-after']),
  };
}

/** Header Retry-After, in seconds or as a date (source: RFC 9110, section 10.2.3), in ms from now. */
function retryAfter(header: string | undefined): number | undefined {
  if (header === undefined) return undefined;
  const ms = /^\d+$/.test(header) ? Number(header) * 1000 : Date.parse(header) - Date.now();
  return Number.isNaN(ms) ? undefined : Math.max(0, ms);
}
