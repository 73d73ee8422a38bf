import type { ClientRequest, IncomingMessage, RequestOptions } from 'node:http';
import { gzipSync } from 'node:zlib';
import { convertLegacyHttpOptions } from '@opentelemetry/otlp-exporter-base/node-http';
import type { Signal } from '../config/otel.ts';
import { VERSION } from '../model/package.ts';
import { HostLookup } from './lookup.ts';
import type { SendResult, Transport } from './transport.ts';

/** Statuses after which the same request may be sent again (source: OTLP specification, "Retryable Response Codes"). */
const RETRYABLE: ReadonlySet<number> = new Set([429, 502, 503, 504]);
/** Of a response that no one should need to be longer. */
const MAX_RESPONSE = 64 * 1024;

/**
 * OTLP over HTTP, configured by OpenTelemetry's exporters. Sends by itself, since theirs retries by a schedule of its own,
 * compresses in the thread pool that the application shares, and looks hosts up there.
 */
export async function openHttp(signal: Signal, contentType: string): Promise<Transport> {
  const config = convertLegacyHttpOptions({}, signal.toUpperCase(), `v1/${signal}`, {
    'Content-Type': contentType,
  });
  const url = new URL(config.url);
  const [agent, configured] = await Promise.all([config.agentFactory(url.protocol), config.headers()]);
  const host = new HostLookup(url.hostname, () => performance.now());
  host.resolve().catch(() => {});
  const zip = config.compression === 'gzip';
  const headers: Record<string, string> = {
    ...configured,
    'User-Agent': `taskwarden/${VERSION}`,
    ...(zip && { 'Content-Encoding': 'gzip' }),
  };
  const options: RequestOptions = { method: 'POST', headers, agent, lookup: host.lookup };
  const { request: open } = await (url.protocol === 'https:' ? import('node:https') : import('node:http'));

  const attempt = (body: Uint8Array, timeoutMs: number): Promise<SendResult> =>
    new Promise((resolve) => {
      const request = open(url, options);
      const timer = setTimeout(() => request.destroy(timedOut(timeoutMs)), timeoutMs);
      timer.unref();
      const finish = (result: SendResult | Promise<SendResult>): void =>
        resolve(Promise.resolve(result).finally(() => clearTimeout(timer)));
      request.on('response', (response) => finish(readResponse(response)));
      request.on('error', (error) => {
        // A server may close an idle connection at the very moment we use it: that says nothing about the server.
        if (wasStale(request, error)) return finish(attempt(body, timeoutMs));
        host.expire();
        finish({ status: 'retryable', error });
      });
      request.end(body);
    });

  return {
    timeoutMs: config.timeoutMillis,
    async send(body, timeoutMs) {
      try {
        return await attempt(zip ? gzipSync(body) : body, timeoutMs);
      } catch (error) {
        return { status: 'rejected', error: error as Error };
      }
    },
    close: () => agent.destroy(),
  };
}

function wasStale(request: ClientRequest, error: NodeJS.ErrnoException): boolean {
  return request.reusedSocket && (error.code === 'ECONNRESET' || error.code === 'EPIPE');
}

function timedOut(timeoutMs: number): Error {
  return Object.assign(new Error(`no answer within ${timeoutMs} ms`), { code: 'ETIMEDOUT' });
}

async function readResponse(response: IncomingMessage): Promise<SendResult> {
  const status = response.statusCode ?? 0;
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
  const body = Buffer.concat(chunks);
  if (status >= 200 && status < 300) return { status: 'accepted', response: body };
  const error = new Error(`HTTP ${status} ${response.statusMessage ?? ''}`.trim());
  if (!RETRYABLE.has(status)) return { status: 'rejected', error };
  return { status: 'retryable', error, retryAfterMs: retryAfter(response.headers['retry-after']) };
}

/** Header Retry-After, in seconds or as a date (source: RFC 9110, section 10.2.3), in ms from now. */
function retryAfter(header: string | undefined): number | undefined {
  if (header === undefined) return undefined;
  const ms = /^\d+$/.test(header) ? Number(header) * 1000 : Date.parse(header) - Date.now();
  return Number.isNaN(ms) ? undefined : Math.max(0, ms);
}
