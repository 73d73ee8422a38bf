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

/** One change of state of one alert: what every sink receives. */
export interface AlertTransition {
  /** Alert name: the label `alertname`. */
  name: string;
  group: string;
  /** Expression of the rule, as written. */
  expr: string;
  state: AlertState;
  previousState: AlertState | 'inactive';
  /** All labels of the alert, `alertname` included. */
  labels: Labels;
  annotations: Labels;
  value: number;
  /** Hex digest of the labels: the same for the same alert everywhere and always. */
  fingerprint: string;
  /** Times in ms since the Unix epoch. */
  activeAt: number;
  firedAt: number | undefined;
  resolvedAt: number | undefined;
  /** When the transition happened. */
  at: number;
  /** Runs concerned, those still active first. */
  runs: readonly RunReference[];
}

export type Notify = (transition: AlertTransition) => void;
