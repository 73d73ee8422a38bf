import { ALERT_EVENT, alertLogRecord } from '../alerts/log-record.ts';
import type { AlertTransition } from '../model/alert.ts';
import { attributeTable } from './attribute-table.ts';

const RUN = 'taskwarden.alert.runs';
const TEXTS: Readonly<Record<string, string>> = {
  'taskwarden.alert.name': 'Name of the alert, the label alertname.',
  'taskwarden.alert.state': 'firing or resolved.',
  'taskwarden.alert.previous_state': 'The state before: inactive, pending, firing.',
  'taskwarden.alert.rule.group': 'Group of the rule.',
  'taskwarden.alert.expr': 'Expression of the rule, as written.',
  'taskwarden.alert.fingerprint': 'Digest of the labels: the same for the same alert everywhere and always.',
  'taskwarden.alert.value': 'Value of the expression.',
  'taskwarden.alert.active_at': 'When the condition began to hold, ISO 8601.',
  'taskwarden.alert.fired_at': 'When the alert began to fire, ISO 8601; absent before.',
  'taskwarden.alert.resolved_at': 'When it ended, ISO 8601; absent before.',
  'messaging.system': 'Queue library of the task, when the alert has that label.',
  'messaging.destination.name': 'Queue of the task, when the alert has that label.',
  'task.name': 'The task, when the alert has that label.',
  'taskwarden.alert.label.<label>': 'Every label of the alert.',
  'taskwarden.alert.annotation.<annotation>': 'Every annotation, its template filled in.',
  'taskwarden.block.class':
    'What kept the event loop, where the alert is about that: code, gc, child_process or native. See [threats.md](threats.md#taskblockseventloop).',
  'taskwarden.block.duration':
    'How long the block has lasted; of an alert that ended, the longest one, in seconds.',
  'taskwarden.block.count': 'Blocks since the alert began to fire.',
  'taskwarden.block.cpu.time': 'Time that the thread was on a CPU meanwhile, in seconds; on Linux.',
  'code.stacktrace':
    'Where the blocked thread was, with asynchronous callers, in the sources where there are source maps; at most 64 frames and 16 KiB. It may come with the end of the alert only, when native code has returned.',
  'taskwarden.evidence': 'Array: files that were written about it: see [evidence.md](evidence.md).',
  [`${RUN}.count`]:
    'How many runs are concerned. The arrays below name at most 20 of them, those in flight first, then those that ended and that the alert is about: see [rules.md](rules.md#which-runs-an-alert-names).',
  [`${RUN}.messaging.system`]: 'Array: queue library of each run.',
  [`${RUN}.messaging.destination.name`]: 'Array: queue.',
  [`${RUN}.messaging.message.id`]: 'Array: id of the job.',
  [`${RUN}.task.name`]: 'Array: task.',
  [`${RUN}.task.attempt`]: 'Array: attempt.',
  [`${RUN}.trace_id`]: 'Array: trace id, empty where the run has no span.',
  [`${RUN}.span_id`]: 'Array: span id.',
  [`${RUN}.age`]: 'Array: age at the time of the alert, or duration, in seconds.',
  [`${RUN}.active`]: 'Array: true while the handler had not returned.',
};

/** A transition that sets every attribute there is. */
const EVERYTHING: AlertTransition = {
  name: '',
  group: '',
  intervalMs: 5000,
  expr: '',
  state: 'resolved',
  previousState: 'firing',
  labels: {
    '<label>': '',
    messaging_system: '',
    messaging_destination_name: '',
    task_name: '',
  },
  annotations: { '<annotation>': '' },
  value: 0,
  fingerprint: '',
  activeAt: 0,
  firedAt: 0,
  resolvedAt: 0,
  at: 0,
  findings: { block: { kind: 'code', stack: ' ', durationMs: 0, cpuMs: 0, count: 1 }, evidence: [''] },
  runs: [
    {
      queue: '',
      task: '',
      framework: '',
      jobId: '',
      attempt: 1,
      traceId: '',
      spanId: '',
      ageMs: 0,
      active: true,
    },
  ],
};

/** The chapter on the alert event of docs/metrics.md. */
export function eventChapter(): string {
  const set = Object.keys(alertLogRecord(EVERYTHING).attributes).filter(
    (name) => !/^taskwarden\.alert\.label\.[a-z]/.test(name),
  );
  return `## Alert events

When an alert begins to fire and when it ends, one log record with the event name \`${ALERT_EVENT}\` is exported. Its severity
comes from the label severity: critical is ERROR (17), warning WARN (13), info INFO (9); an alert without one is WARN,
a resolved one INFO. The body is the annotation summary. Trace and span id are those of the first run that has a span.

${attributeTable(set, TEXTS)}
`;
}
