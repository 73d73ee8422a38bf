import { writeSync } from 'node:fs';
import type { LogData } from '../model/log.ts';
import type { SpanData } from '../model/span.ts';
import type { MetricsSnapshot } from './metrics.ts';

/** The exporter `console`: one line of JSON for each span, log record and metric. */

/** End of a line that a pipe had no room for: without it the next one would be no JSON either. */
let rest: Uint8Array = new Uint8Array();

/**
 * Writes to the standard output of the process past the main thread, through which a worker's `console` goes and which may be
 * blocked just now. Throws when a pipe is full.
 */
export function printLine(line: string): void {
  while (rest.length > 0) rest = write(rest);
  rest = write(Buffer.from(`${line}\n`));
}

/** What a full pipe has not taken; throws where that is all. */
function write(bytes: Uint8Array): Uint8Array {
  let at = 0;
  try {
    while (at < bytes.length) at += writeSync(1, bytes, at);
  } catch (error) {
    if (at === 0 || !isPipeFull(error)) throw error;
  }
  return bytes.subarray(at);
}

/** Whether there may be room later. */
export function isPipeFull(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'EAGAIN';
}

export function spanLine(span: SpanData): string {
  return JSON.stringify({ signal: 'traces', ...span });
}

export function logLine(log: LogData): string {
  return JSON.stringify({ signal: 'logs', ...log });
}

export function metricLines({ timeMs, metrics, vanished }: MetricsSnapshot): string[] {
  const lines = metrics.map(({ descriptor, dataPoints }) => {
    const points = dataPoints.map(({ attributes, value }) => ({ attributes, value }));
    return { signal: 'metrics', timeMs, name: descriptor.name, unit: descriptor.unit, points };
  });
  const ended = vanished.map(({ name, unit, points }) => ({
    signal: 'metrics',
    timeMs,
    name,
    unit,
    ended: points,
  }));
  return [...lines, ...ended].map((line) => JSON.stringify(line));
}
