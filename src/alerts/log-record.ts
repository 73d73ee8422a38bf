import type { AlertFindings, AlertTransition, RunReference } from '../model/alert.ts';
import type { LogData } from '../model/log.ts';

type LogAttribute = string | number | boolean | readonly string[];

export const ALERT_EVENT = 'taskwarden.alert';

/** Runs that one record names; `taskwarden.alert.runs.count` is how many there were. */
const MAX_RUNS = 20;
/** Longer texts are cut, so that a label cannot make a record too large to send. */
const MAX_TEXT = 4096;

const SEVERITIES: ReadonlyMap<string, readonly [number, string]> = new Map([
  ['critical', [17, 'ERROR']],
  ['page', [17, 'ERROR']],
  ['error', [17, 'ERROR']],
  ['warning', [13, 'WARN']],
  ['info', [9, 'INFO']],
  ['none', [9, 'INFO']],
]);
const INFO = [9, 'INFO'] as const;
const WARN = [13, 'WARN'] as const;

/** The attributes by which an alert is found beside the spans and metrics of its task. */
const CONTEXT_LABELS = {
  messaging_system: 'messaging.system',
  messaging_destination_name: 'messaging.destination.name',
  task_name: 'task.name',
} as const;

/**
 * The log record of a transition. Times are ISO 8601 texts, ages seconds; the runs concerned are parallel arrays
 * `taskwarden.alert.runs.*`, of which item i speaks of run i.
 */
export function alertLogRecord(transition: AlertTransition): LogData {
  const [severityNumber, severityText] = severity(transition);
  const { annotations, name, runs, state } = transition;
  const withTrace = runs.filter((run) => run.traceId !== '' && run.spanId !== '');
  const traced = withTrace.find(({ isMeant }) => isMeant) ?? withTrace[0];
  return {
    timeMs: transition.at,
    observedTimeMs: transition.at,
    eventName: ALERT_EVENT,
    severityNumber,
    severityText,
    body: cut(
      `${state === 'resolved' ? 'Resolved: ' : ''}${annotations.summary ?? annotations.message ?? name}`,
    ),
    attributes: attributesOf(transition),
    traceId: traced?.traceId,
    spanId: traced?.spanId,
  };
}

function severity({ labels, state }: AlertTransition): readonly [number, string] {
  if (state !== 'firing') return INFO;
  return SEVERITIES.get(labels.severity?.toLowerCase() ?? '') ?? WARN;
}

function attributesOf(transition: AlertTransition): Record<string, LogAttribute> {
  const { labels, annotations, firedAt, resolvedAt } = transition;
  const attributes: Record<string, LogAttribute> = {
    'taskwarden.alert.name': transition.name,
    'taskwarden.alert.state': transition.state,
    'taskwarden.alert.previous_state': transition.previousState,
    'taskwarden.alert.rule.group': transition.group,
    'taskwarden.alert.expr': cut(transition.expr),
    'taskwarden.alert.fingerprint': transition.fingerprint,
    'taskwarden.alert.value': transition.value,
    'taskwarden.alert.active_at': iso(transition.activeAt),
  };
  if (firedAt !== undefined) attributes['taskwarden.alert.fired_at'] = iso(firedAt);
  if (resolvedAt !== undefined) attributes['taskwarden.alert.resolved_at'] = iso(resolvedAt);
  for (const [label, attribute] of Object.entries(CONTEXT_LABELS)) {
    const value = labels[label];
    if (value !== undefined) attributes[attribute] = cut(value);
  }
  for (const [label, value] of Object.entries(labels))
    attributes[`taskwarden.alert.label.${label}`] = cut(value);
  for (const [name, value] of Object.entries(annotations))
    attributes[`taskwarden.alert.annotation.${name}`] = cut(value);
  return { ...attributes, ...findingAttributes(transition.findings), ...runAttributes(transition.runs) };
}

/** The stack was bounded where it was taken. */
function findingAttributes({ block, evidence }: AlertFindings = {}): Record<string, LogAttribute> {
  const attributes: Record<string, LogAttribute> = {};
  if (block !== undefined) {
    if (block.kind !== undefined) attributes['taskwarden.block.class'] = block.kind;
    attributes['taskwarden.block.duration'] = block.durationMs / 1000;
    attributes['taskwarden.block.count'] = block.count;
    if (block.cpuMs !== undefined) attributes['taskwarden.block.cpu.time'] = block.cpuMs / 1000;
    if (block.stack !== '') attributes['code.stacktrace'] = block.stack;
  }
  if (evidence !== undefined && evidence.length > 0) attributes['taskwarden.evidence'] = evidence;
  return attributes;
}

function runAttributes(runs: readonly RunReference[]): Record<string, LogAttribute> {
  if (runs.length === 0) return {};
  const column = (text: (run: RunReference) => string) =>
    runs.slice(0, MAX_RUNS).map((run) => cut(text(run)));
  return {
    'taskwarden.alert.runs.count': runs.length,
    'taskwarden.alert.runs.messaging.system': column((run) => run.framework),
    'taskwarden.alert.runs.messaging.destination.name': column((run) => run.queue),
    'taskwarden.alert.runs.messaging.message.id': column((run) => run.jobId),
    'taskwarden.alert.runs.task.name': column((run) => run.task),
    'taskwarden.alert.runs.task.attempt': column((run) => String(run.attempt)),
    'taskwarden.alert.runs.trace_id': column((run) => run.traceId),
    'taskwarden.alert.runs.span_id': column((run) => run.spanId),
    'taskwarden.alert.runs.age': column((run) => (run.ageMs / 1000).toFixed(3)),
    'taskwarden.alert.runs.active': column((run) => String(run.active)),
  };
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}

function cut(text: string): string {
  return text.length <= MAX_TEXT ? text : `${text.slice(0, MAX_TEXT - 1)}…`;
}
