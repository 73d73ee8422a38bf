import type { Resource } from '@opentelemetry/resources';
import type { ReadableLogRecord } from '@opentelemetry/sdk-logs';
import type { LogData } from '../model/log.ts';
import { hrTime } from './hr-time.ts';
import { attributesOf } from './spans.ts';

/** A log record as the OTLP serializers read it. */
export function logFromRecord(
  data: LogData,
  resource: Resource,
  scope: ReadableLogRecord['instrumentationScope'],
): ReadableLogRecord {
  const { traceId, spanId } = data;
  const traced = traceId !== undefined && traceId !== '';
  return {
    hrTime: hrTime(data.timeMs),
    hrTimeObserved: hrTime(data.observedTimeMs),
    severityNumber: data.severityNumber,
    severityText: data.severityText,
    eventName: data.eventName,
    body: data.body,
    attributes: attributesOf(data.attributes) as ReadableLogRecord['attributes'],
    droppedAttributesCount: 0,
    ...(traced && { spanContext: { traceId, spanId: spanId ?? '', traceFlags: 1 } }),
    resource,
    instrumentationScope: scope,
  };
}
