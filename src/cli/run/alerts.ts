import { type Crash, referenceOf } from '../../agent/crashes/crash.ts';
import type { Poison } from '../../agent/crashes/deaths.ts';
import { crashRecord } from '../../agent/crashes/event.ts';
import type { AlertTransition, RunReference } from '../../model/alert.ts';
import type { Labels } from '../../model/labels.ts';
import { prometheusLabel } from '../../model/prometheus-name.ts';
import { fingerprint } from '../../rules/fingerprint.ts';

/** The alerts of deaths, firing. @param target labels of whoever tells */
export function deathAlerts(
  crashes: readonly Crash[],
  poison: readonly Poison[],
  target: Labels,
  now: number,
): AlertTransition[] {
  const said = [
    ...crashes.filter(({ cause }) => cause !== 'terminated').flatMap((crash) => crashAlerts(crash, target)),
    ...poison.map((one) => poisonAlert(one, target)),
  ];
  return said.map((alert) => transition(alert, now));
}

interface Said {
  readonly name: string;
  readonly labels: Labels;
  readonly annotations: Labels;
  readonly value: number;
  readonly runs: readonly RunReference[];
}

/** As the rules of rules/crashes.yaml make them, one for each task. */
function crashAlerts(crash: Crash, target: Labels): Said[] {
  const { id, cause, service, how, runs } = crash;
  const about = { task_crash_cause: cause, task_crash_id: id, task_crash_service: service };
  const labels = { ...target, ...about, severity: 'critical' };
  if (runs.length === 0)
    return [
      {
        name: 'WorkerCrashed',
        labels,
        annotations: { summary: `A worker of ${service} ${how}` },
        value: 1,
        runs: [],
      },
    ];
  const byTask = Map.groupBy(runs, ({ task, suspicion }) => JSON.stringify([task, suspicion]));
  return [...byTask.values()].map((lost) => {
    const { task, suspicion } = lost[0]!;
    return {
      name: 'TaskCrashedWorker',
      labels: { ...labels, ...taskLabels(task), task_suspicion: suspicion },
      annotations: {
        summary: `A worker of ${service} ${how} with ${lost.length} of task ${task.task} of queue ${task.queue} in flight`,
        description: crashRecord(crash, crash.at).body,
      },
      value: lost.length,
      runs: lost.map(referenceOf),
    };
  });
}

function poisonAlert({ task, jobId, deaths }: Poison, target: Labels): Said {
  const where = `${task.task} (queue ${task.queue})`;
  const summary =
    jobId === ''
      ? `Task ${where} was the only suspect of ${deaths} deaths of workers of ${target.job} within an hour`
      : `Job ${jobId} of task ${where} was in flight at ${deaths} deaths of workers of ${target.job}`;
  const run = { ...task, jobId, attempt: 0, ageMs: 0, traceId: '', spanId: '', active: false };
  return {
    name: 'TaskPoison',
    labels: {
      ...target,
      ...taskLabels(task),
      severity: 'critical',
      ...(jobId !== '' && { task_poison_job: jobId }),
    },
    annotations: { summary },
    value: deaths,
    runs: jobId === '' ? [] : [run],
  };
}

function taskLabels({ framework, queue, task }: Poison['task']): Labels {
  return {
    [prometheusLabel('messaging.system')]: framework,
    [prometheusLabel('messaging.destination.name')]: queue,
    [prometheusLabel('task.name')]: task,
  };
}

function transition({ name, labels: given, annotations, value, runs }: Said, at: number): AlertTransition {
  const labels = { ...given, alertname: name };
  return {
    name,
    group: 'taskwarden-run',
    intervalMs: 0,
    expr: '',
    state: 'firing',
    previousState: 'inactive',
    labels,
    annotations,
    value,
    fingerprint: fingerprint(labels),
    activeAt: at,
    firedAt: at,
    resolvedAt: undefined,
    at,
    runs,
  };
}
