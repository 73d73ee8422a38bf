import { targetLabels } from '../../agent/alerting.ts';
import { type Claimed, Claims } from '../../agent/crashes/claim.ts';
import { type Crash, crashOf, referenceOf, type SeenEnd } from '../../agent/crashes/crash.ts';
import { Deaths, type Poison } from '../../agent/crashes/deaths.ts';
import { crashRecord } from '../../agent/crashes/event.ts';
import { thisMachine } from '../../agent/crashes/identity.ts';
import { Exporting } from '../../agent/exporting.ts';
import { openNotifier } from '../../agent/notifying.ts';
import { isRunning, ownProcess } from '../../agent/process-id.ts';
import type { Config } from '../../config/config.ts';
import { stateFolder } from '../../config/state-dir.ts';
import type { AlertTransition, RunReference } from '../../model/alert.ts';
import { wallClock } from '../../model/clock.ts';
import type { Labels } from '../../model/labels.ts';
import { prometheusLabel } from '../../model/prometheus-name.ts';
import { resourceAttributes } from '../../otlp/resource.ts';
import { fingerprint } from '../../rules/fingerprint.ts';
import { Registry } from '../../store/registry.ts';

/** How long the end waits for the alerts to be delivered, ms. */
const FLUSH_MS = 3000;

export interface DeathReport {
  readonly config: Config;
  /** As the worker's recorder has it. */
  readonly supervisor: string;
  readonly pid: number;
  readonly seen: SeenEnd;
  readonly startedAt: number;
  /** Whether the worker was told to stop. */
  readonly wasStopped: boolean;
  readonly warn: (text: string) => void;
}

/** What a death was, as far as it can be told. */
export interface Death {
  /** The worker, and processes that it had started and that are gone; without runs where none were in flight. */
  readonly crashes: readonly Crash[];
  readonly poison: readonly Poison[];
  /** Sends the alerts; fulfils when they are delivered or given up. */
  deliver(): Promise<void>;
}

/** Takes what the dead worker's recorder has left, at once, and makes alerts of it. */
export function readDeath(report: DeathReport): Death {
  const { config, seen, warn } = report;
  const claimed = claim(report);
  const crashes = claimed.map(({ recording }) => {
    const isChild = recording.identity.pid === report.pid || claimed.length === 1;
    return crashOf(recording, isChild ? { seen } : {});
  });
  const service = config.otel.serviceName ?? '';
  const folder = stateFolder(config);
  let poison: Poison[] = [];
  if (folder !== undefined && crashes.length > 0) {
    try {
      const deaths = new Deaths(folder.path);
      for (const crash of crashes) if (crash.cause !== 'terminated') deaths.remember(crash);
      poison = deaths.poison(crashes[0]!.service, wallClock(), config.poison);
    } catch (error) {
      warn(`deaths are not remembered: ${(error as Error).message}`);
    }
  }
  const isExpected = report.wasStopped || seen.code === 0;
  const all = crashes.length > 0 || isExpected ? crashes : [emptyCrash(report, service)];
  return {
    crashes: all,
    poison,
    async deliver() {
      const isSilent = !config.enabled || config.otel.disabled;
      if (all.length > 0 && !isSilent) await send(config, all, poison, warn);
      for (const one of claimed) one.done();
    },
  };
}

function claim({ config, supervisor, warn }: DeathReport): Claimed[] {
  const folder = stateFolder(config);
  if (folder === undefined) return [];
  try {
    return new Claims({
      folder,
      machine: thisMachine(),
      self: ownProcess(),
      isRunning,
      now: wallClock,
      onIgnored: () => {},
    }).take(supervisor);
  } catch (error) {
    warn(`the tasks in flight are not known: ${(error as Error).message}`);
    return [];
  }
}

/** A worker that died with nothing in flight, or without Taskwarden. */
function emptyCrash({ pid, seen, startedAt }: DeathReport, service: string): Crash {
  const unknown = Number.NaN;
  const resources = {
    at: seen.at,
    rss: unknown,
    heapUsed: unknown,
    heapLimit: unknown,
    cpuMs: unknown,
    oomKills: unknown,
  };
  const identity = { ...thisMachine(), pid, start: 0, startedAt, service, group: '', supervisor: '' };
  return crashOf(
    { identity, resources, runs: [], more: 0, holder: undefined, end: undefined, stopSignal: 0 },
    { seen },
  );
}

async function send(
  config: Config,
  crashes: readonly Crash[],
  poison: readonly Poison[],
  warn: (text: string) => void,
): Promise<void> {
  const now = wallClock();
  const resource = resourceAttributes(config.otel.serviceName, config.otel.resourceAttributes);
  const registry = new Registry(now, { maxSeriesPerMetric: 100 });
  const nobody = { alerts: () => [], describe: () => [] };
  const guard = <T>(_part: string, run: () => T): T => run();
  const hasSinks = config.alertmanagers.length + config.webhooks.length > 0;
  const notifier = hasSinks
    ? await openNotifier({ config, registry, resource, alerting: nobody, guard, warn })
    : undefined;
  const exporting = new Exporting({ config, registry, resource, alerts: () => [], notifier });
  const target = targetLabels(resource);
  for (const crash of crashes) {
    exporting.event(crashRecord(crash, now));
    if (crash.cause === 'terminated') continue;
    for (const alert of crashAlerts(crash, target)) exporting.alert(transition(alert, now));
  }
  for (const one of poison) exporting.alert(transition(poisonAlert(one, target), now));
  await exporting.flush(FLUSH_MS);
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
