import type { ActiveAlert, AlertFindings, RunReference } from '../model/alert.ts';
import type { Labels } from '../model/labels.ts';
import { prometheusLabel } from '../model/prometheus-name.ts';

/** An alert as servers of other makes are told of it. Times are ms since the Unix epoch. */
export interface OutgoingAlert {
  /** The fingerprint that Alertmanager gives `labels`. */
  readonly fingerprint: string;
  readonly labels: Labels;
  readonly annotations: Labels;
  readonly startsAt: number;
  /** Undefined while it fires. */
  readonly resolvedAt: number | undefined;
  /** Evaluation interval of its rule group, ms. */
  readonly intervalMs: number;
  /** Where its expression can be looked at; undefined where that is not known. */
  readonly generatorUrl: string | undefined;
}

export interface OutgoingOptions {
  /** Labels that an alert gets unless it has them: `job`, `instance` and the external ones. */
  readonly labels: Labels;
  /** Where Prometheus's pages are; '' where that is not known. */
  readonly externalUrl: string;
  /** Of a label set, as Alertmanager reckons it. */
  readonly fingerprint: (labels: Labels) => string;
}

/** Longer texts are cut, so that an annotation cannot make a request too large to be taken. */
const MAX_TEXT = 4096;
/** Runs that the annotation names, and those of them that have ended, if there are as many: the alert may be about these. */
const MAX_RUNS = 5;
const MIN_ENDED = 2;

/** The annotation that names the runs concerned: jobs and traces are no labels, which must be few. */
const RUNS_ANNOTATION = 'taskwarden_runs';

export function outgoing(alert: ActiveAlert, options: OutgoingOptions): OutgoingAlert {
  const labels = legal({ ...options.labels, ...alert.labels });
  const runs = alert.runs.length === 0 ? {} : { [RUNS_ANNOTATION]: runsText(alert.runs) };
  return {
    fingerprint: options.fingerprint(labels),
    labels,
    annotations: legal({ ...runs, ...findingTexts(alert.findings), ...alert.annotations }, MAX_TEXT),
    startsAt: alert.firedAt ?? alert.activeAt,
    resolvedAt: alert.state === 'resolved' ? alert.resolvedAt : undefined,
    intervalMs: alert.intervalMs,
    generatorUrl: generatorUrl(options.externalUrl, alert.expr),
  };
}

/** Names that Alertmanager before 0.27 knows, and no empty value, which says the same as no label. */
function legal(labels: Labels, maxText = Number.POSITIVE_INFINITY): Labels {
  const kept: Record<string, string> = {};
  for (const [name, value] of Object.entries(labels))
    if (value !== '')
      kept[prometheusLabel(name)] = value.length <= maxText ? value : `${value.slice(0, maxText - 1)}…`;
  return kept;
}

function findingTexts({ block, evidence = [] }: AlertFindings = {}): Labels {
  return {
    ...(block !== undefined && {
      taskwarden_block_class: block.kind ?? '',
      taskwarden_block_duration: `${(block.durationMs / 1000).toFixed(1)}s`,
      taskwarden_stack: block.stack,
    }),
    taskwarden_evidence: evidence.join(', '),
  };
}

function runsText(runs: readonly RunReference[]): string {
  const ended = runs.filter(({ active }) => !active);
  const inFlight = runs.filter(({ active }) => active).slice(0, MAX_RUNS - Math.min(MIN_ENDED, ended.length));
  const texts = [...inFlight, ...ended].slice(0, MAX_RUNS).map((run) => {
    const state = run.active ? 'running for' : 'ran';
    const trace = run.traceId === '' ? '' : `, trace ${run.traceId}`;
    return `job ${run.jobId} of ${run.queue} (${run.task}, attempt ${run.attempt}, ${state} ${(run.ageMs / 1000).toFixed(1)} s${trace})`;
  });
  const more = runs.length - texts.length;
  return texts.join('; ') + (more > 0 ? `; ${more} more` : '');
}

/** As Prometheus makes it (source: prometheus/util/strutil/strconv.go, TableLinkForExpression). */
function generatorUrl(externalUrl: string, expr: string): string | undefined {
  if (externalUrl === '') return undefined;
  return `${externalUrl.replace(/\/$/, '')}/graph?g0.expr=${encodeURIComponent(expr)}&g0.tab=1`;
}
