import { gzipSync } from 'node:zlib';
import { convertLegacyHttpOptions } from '@opentelemetry/otlp-exporter-base/node-http';
import type { Signal } from '../config/otel.ts';
import { VERSION } from '../model/package.ts';
import { HostLookup } from './lookup.ts';
import { type Answer, httpClient } from './post.ts';
import type { SendResult, Transport } from './transport.ts';

/** Statuses after which the same request may be sent again (source: OTLP specification, "Retryable Response Codes"). */
const RETRYABLE: ReadonlySet<number> = new Set([429, 502, 503, 504]);

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
  const options = { headers, agent, lookup: host.lookup };
  const client = await httpClient(url.protocol);
  return {
    timeoutMs: config.timeoutMillis,
    async send(body, timeoutMs) {
      try {
        const answer = client.send(url, options, zip ? gzipSync(body) : body, timeoutMs);
        return await answer.then(resultOf, (error: Error) => {
          host.expire();
          return { status: 'retryable', error };
        });
      } catch (error) {
        return { status: 'rejected', error: error as Error };
      }
    },
    close: () => agent.destroy(),
  };
}

function resultOf({ status, statusText, retryAfterMs, body }: Answer): SendResult {
  if (status >= 200 && status < 300) return { status: 'accepted', response: body };
  const error = new Error(`HTTP ${status} ${statusText}`.trim());
  return RETRYABLE.has(status) ? { status: 'retryable', error, retryAfterMs } : { status: 'rejected', error };
}
