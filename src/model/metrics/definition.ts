import type { PrometheusKind } from '../prometheus-name.ts';

/** What THE table of metrics says of each. */
export interface MetricDefinition {
  readonly kind: PrometheusKind;
  /** UCUM unit. */
  readonly unit: string;
  readonly description: string;
  /** Attribute names; every series has them all unless `optional` names them. */
  readonly attributes: readonly string[];
  readonly optional?: readonly string[];
  /** Upper bounds of a histogram's explicit buckets, in `unit`. */
  readonly buckets?: readonly number[];
  /** A counter that is read where another counts, since the machine, a process or a queue began: when that was 0 is not known. */
  readonly startUnknown?: true;
  readonly source: 'semconv' | 'taskwarden' | 'prometheus';
  /** What the figure is worth: how it is measured, its error, when it is an estimate. */
  readonly quality: string;
}
