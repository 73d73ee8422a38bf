import { writeSync } from 'node:fs';
import type { LogData } from '../model/log.ts';
import type { SpanData } from '../model/span.ts';
import type { MetricsSnapshot } from './metrics.ts';

/** The exporter `console`: one line of JSON for each span, log record and metric. */

/**
 * Writes to the standard output of the process past the main thread, through which a worker's `console` goes and which may be
 * blocked just now. Throws when a pipe is full.
 */
export function printLine(line: string): void {
  writeSync(1, `${line}\n`);
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
