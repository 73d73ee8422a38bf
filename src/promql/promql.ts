/**
 * PromQL as Prometheus 3 means it: `compile` parses and checks an expression once, `evaluateInstant` and
 * `evaluateRange` answer it from any Queryable. Windows are open on the left, an instant selector looks back 5 minutes,
 * floats and classic histograms only.
 */
export { compile, type Expression } from './compile.ts';
export { type Dialect, V3 } from './dialect.ts';
export {
  type EvaluateOptions,
  evaluateInstant,
  evaluateRange,
  type MatrixValue,
  type Series,
  type Value,
} from './evaluate.ts';
