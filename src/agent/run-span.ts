import type { RunRecord } from '../bridge/inbox.ts';
import { startAttributes, usageAttributes } from '../model/run-attributes.ts';
import type { SpanData } from '../model/span.ts';

const CONSUMER = 4;
const ERROR = 2;

/** The span of a run, by the messaging conventions: `process <queue>`, kind CONSUMER. */
export function spanOfRun(run: RunRecord, version: string): SpanData {
  const { extra } = run;
  const error = extra?.error;
  const endTimeMs = run.startEpochMs + run.durationMs;
  const attributes: Record<string, SpanData['attributes'][string]> = {
    ...startAttributes({ ...run, ...run.task }),
    ...usageAttributes({
      ...run,
      waitMs: run.waitMs ?? Number.NaN,
      payloadBytes: run.payloadBytes ?? Number.NaN,
      ...(extra?.openHandles === undefined ? {} : { openHandles: extra.openHandles }),
      ...(extra?.failedRequests === undefined ? {} : { failedRequests: extra.failedRequests }),
      duplicate: extra?.duplicate,
      heapPeak: extra?.heapPeak,
    }),
    'task.cpu.quality': run.cpuQuality,
    ...(extra?.attributes as SpanData['attributes']),
  };
  if (error !== undefined) attributes['error.type'] = error.type;
  return {
    traceId: run.traceId,
    spanId: run.spanId,
    ...(extra?.parentSpanId === undefined ? {} : { parentSpanId: extra.parentSpanId }),
    ...(extra?.traceState === undefined ? {} : { traceState: extra.traceState }),
    traceFlags: 1,
    name: extra?.name ?? `process ${run.task.queue}`,
    kind: CONSUMER,
    startTimeMs: run.startEpochMs,
    endTimeMs,
    attributes,
    events: [
      ...((extra?.events as SpanData['events']) ?? []),
      ...(error === undefined ? [] : [exception(error, endTimeMs)]),
    ],
    links: (extra?.links as SpanData['links']) ?? [],
    status: error === undefined ? { code: 0 } : { code: ERROR, message: error.message },
    scope: { name: 'taskwarden', version },
  };
}

function exception(
  error: { type: string; message: string; stack?: string },
  timeMs: number,
): SpanData['events'][number] {
  const attributes: Record<string, string> = {
    'exception.type': error.type,
    'exception.message': error.message,
  };
  if (error.stack !== undefined) attributes['exception.stacktrace'] = error.stack;
  return { name: 'exception', timeMs, attributes };
}
