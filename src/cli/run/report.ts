import { targetLabels } from '../../agent/alerting.ts';
import { type Claimed, Claims } from '../../agent/crashes/claim.ts';
import { type Crash, crashOf, type SeenEnd } from '../../agent/crashes/crash.ts';
import { Deaths, type Poison } from '../../agent/crashes/deaths.ts';
import { crashRecord } from '../../agent/crashes/event.ts';
import { thisMachine } from '../../agent/crashes/identity.ts';
import { Exporting } from '../../agent/exporting.ts';
import { openNotifier } from '../../agent/notifying.ts';
import { isRunning, ownProcess } from '../../agent/process-id.ts';
import type { Config } from '../../config/config.ts';
import { stateFolder } from '../../config/state-dir.ts';
import { wallClock } from '../../model/clock.ts';
import { resourceAttributes } from '../../otlp/resource.ts';
import { Registry } from '../../store/registry.ts';
import { deathAlerts } from './alerts.ts';
import { FLUSH_MS, type OpenAlerts } from './open-alerts.ts';

export interface DeathReport {
  readonly config: Config;
  /** As the worker's recorder has it. */
  readonly supervisor: string;
  readonly pid: number;
  readonly seen: SeenEnd;
  readonly startedAt: number;
  /** Whether the worker was told to stop. */
  readonly wasStopped: boolean;
  /** Alerts of this and former deaths. */
  readonly open: OpenAlerts;
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
      if (all.length > 0 && !isSilent) await send(report, all, poison);
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

/** Sends what there is to tell of deaths: an event each, and alerts. */
async function send(
  { config, open, warn }: DeathReport,
  crashes: readonly Crash[],
  poison: readonly Poison[],
): Promise<void> {
  const now = wallClock();
  const resource = resourceAttributes(config.otel.serviceName, config.otel.resourceAttributes);
  const registry = new Registry(now, { maxSeriesPerMetric: 100 });
  const alerts = deathAlerts(crashes, poison, targetLabels(resource), now);
  const alerting = { alerts: () => alerts, describe: () => [] };
  const guard = <T>(_part: string, run: () => T): T => run();
  const hasSinks = config.alertmanagers.length + config.webhooks.length > 0;
  const notifier = hasSinks
    ? await openNotifier({ config, registry, resource, alerting, guard, warn })
    : undefined;
  const exporting = new Exporting({ config, registry, resource, alerts: () => [], notifier });
  for (const crash of crashes) exporting.event(crashRecord(crash, now));
  open.fire(alerts, exporting);
  await exporting.flush(FLUSH_MS);
}
