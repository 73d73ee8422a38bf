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
  /** True for one of the kind that the alert is about, such as failed ones: runs in flight are beside it then. */
  isMeant?: boolean | undefined;
  /** Where it is in the table of the main thread; absent where it has ended, or runs in another thread. */
  place?: RunPlace | undefined;
  /** Where a watcher of queues has found it; absent for a run of this process. */
  watched?: WatchedRun | undefined;
}

/** A task that a worker anywhere has in its hands. */
export interface WatchedRun {
  /** As `redis.instance` says. */
  readonly redis: string;
  /** Of the library's keys. */
  readonly prefix: string;
  /** By the clock of its server, ms since the Unix epoch. */
  readonly startedMs: number | undefined;
}

/** A run of the main thread, told from its successors in the same slot. */
export interface RunPlace {
  readonly slot: number;
  readonly generation: number;
}

/** What was found out about an alert beside what its rule says. */
export interface AlertFindings {
  /** The block of an event loop that it is about. */
  readonly block?: {
    /** code, gc, child_process or native; undefined for threads that cannot be looked into. */
    readonly kind: string | undefined;
    /** One frame a line, the innermost first; '' where it is not known. */
    readonly stack: string;
    /** Of the longest block since it began to fire; so far, while it lasts. */
    readonly durationMs: number;
    /** Time that the thread was on a CPU during it. */
    readonly cpuMs: number | undefined;
    /** Blocks since it began to fire. */
    readonly count: number;
  };
  /** Paths of files that were, or are being, written about it. */
  readonly evidence?: readonly string[];
}

/** An alert as it stands. */
export interface ActiveAlert {
  /** Alert name: the label `alertname`. */
  readonly name: string;
  readonly group: string;
  /** Evaluation interval of that group, ms. */
  readonly intervalMs: number;
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
  readonly findings?: AlertFindings | undefined;
}

/** One change of state of one alert: what every sink receives. */
export interface AlertTransition extends Readonly<ActiveAlert> {
  /** `resolved` from `pending`: the condition ended before `for` had passed. */
  readonly previousState: AlertState | 'inactive';
  /** When the transition happened, ms since the Unix epoch. */
  readonly at: number;
}

export type Notify = (transition: AlertTransition) => void;
