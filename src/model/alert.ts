import type { Labels } from './labels.ts';

export type AlertState = 'pending' | 'firing' | 'resolved';

/** A handler run as an alert names it. */
export interface RunReference {
  queue: string;
  task: string;
  framework: string;
  jobId: string;
  attempt: number;
  /** 32 and 16 lowercase hex digits; empty when the run has no span. */
  traceId: string;
  spanId: string;
  /** Age at the moment of the alert, or duration of a finished run, in ms. */
  ageMs: number;
  /** True while the handler had not returned at the moment of the alert. */
  active: boolean;
}

/** An alert as it stands. */
export interface ActiveAlert {
  /** Alert name: the label `alertname`. */
  readonly name: string;
  readonly group: string;
  /** Expression of the rule, as written. */
  readonly expr: string;
  state: AlertState;
  /** All labels of the alert, `alertname` included. */
  readonly labels: Labels;
  annotations: Labels;
  value: number;
  /** The fingerprint that Alertmanager gives these labels, 16 hex digits: the same everywhere and always. */
  readonly fingerprint: string;
  /** Since when the condition holds, when it began to fire and ended: ms since the Unix epoch. */
  activeAt: number;
  firedAt: number | undefined;
  resolvedAt: number | undefined;
  /** Runs concerned when it began to fire, those still active first. */
  runs: readonly RunReference[];
}

/** One change of state of one alert: what every sink receives. */
export interface AlertTransition extends Readonly<ActiveAlert> {
  /** `resolved` from `pending`: the condition ended before `for` had passed. */
  readonly previousState: AlertState | 'inactive';
  /** When the transition happened, ms since the Unix epoch. */
  readonly at: number;
}

export type Notify = (transition: AlertTransition) => void;
