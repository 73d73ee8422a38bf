import type { Position } from '../model/errors.ts';
import type { Labels } from '../model/labels.ts';
import type { Template } from './template.ts';

/** A compiled PromQL expression: opaque here, only handed on to `query`. */
export type Expression = object;

/** @throws TaskwardenError TASKWARDEN_PROMQL with the position within the expression. */
export type Compile = (expr: string) => Expression;

interface RuleBase {
  /** Alert name, or the metric that a recording rule makes. */
  readonly name: string;
  /** The expression as written. */
  readonly expr: string;
  readonly expression: Expression;
  /** Where the rule's name stands in its file. */
  readonly position: Position;
}

export interface AlertRule extends RuleBase {
  readonly kind: 'alert';
  /** `for` and `keep_firing_for` in ms. */
  readonly holdMs: number;
  readonly keepFiringMs: number;
  /** Templates of the labels, the group's own included, sorted by name. */
  readonly labels: readonly (readonly [string, Template])[];
  readonly annotations: readonly (readonly [string, Template])[];
}

export interface RecordingRule extends RuleBase {
  readonly kind: 'record';
  readonly labels: Labels;
}

export type Rule = AlertRule | RecordingRule;

export interface RuleGroup {
  readonly name: string;
  readonly file: string;
  /** Evaluation interval in ms; undefined where the file leaves it to the agent. */
  readonly intervalMs: number | undefined;
  /** Most alerts or series that one rule may give; 0 and less = no limit. */
  readonly limit: number;
  /** How far back the group looks, ms. */
  readonly queryOffsetMs: number;
  readonly rules: readonly Rule[];
}
