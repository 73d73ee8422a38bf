import type { Sample } from '../model/queryable.ts';
import { sortSamples } from './aggregate.ts';
import { type CallNode, unwrap } from './ast.ts';
import type { Dialect } from './dialect.ts';
import { type Bucket, bucketFraction, bucketQuantile, planBuckets } from './functions-histogram.ts';
import { absentLabels, labelJoin, labelReplace } from './functions-labels.ts';
import { clamp, DATE_FUNCTIONS, MATH_FUNCTIONS, round } from './functions-math.ts';
import { OVER_TIME_FUNCTIONS } from './functions-over-time.ts';
import { RATE_FUNCTIONS, type RangeFunction } from './functions-rate.ts';
import { dropName } from './label-ops.ts';
import {
  assertUnique,
  type MatrixPlan,
  nameless,
  type Plan,
  type ScalarPlan,
  unique,
  type VectorPlan,
} from './plan.ts';
import { planTimestamps } from './selectors.ts';
import { Steady } from './steady.ts';

/** The plans of a call's arguments; the type check has seen to their types. */
export class Args {
  readonly #plans: readonly Plan[];

  constructor(plans: readonly Plan[]) {
    this.#plans = plans;
  }

  get length(): number {
    return this.#plans.length;
  }

  scalar(at: number): ScalarPlan {
    return this.#plan(at, 'scalar').at;
  }

  vector(at: number): VectorPlan {
    return this.#plan(at, 'vector').at;
  }

  matrix(at: number): MatrixPlan {
    return this.#plan(at, 'matrix').at;
  }

  text(at: number): string {
    return this.#plan(at, 'string').value;
  }

  #plan<T extends Plan['type']>(at: number, type: T): Extract<Plan, { type: T }> {
    const plan = this.#plans[at];
    if (plan?.type !== type) throw new TypeError(`argument ${at} is not of type ${type}`);
    return plan as Extract<Plan, { type: T }>;
  }
}

type Build = (args: Args, call: CallNode, dialect: Dialect) => Plan;

export function planCall(call: CallNode, args: Args, dialect: Dialect): Plan {
  const build = BUILDERS.get(call.name);
  if (build === undefined) throw new TypeError(`no implementation of ${call.name}`);
  return build(args, call, dialect);
}

const vector = (at: VectorPlan): Plan => ({ type: 'vector', at });
const scalar = (at: ScalarPlan): Plan => ({ type: 'scalar', at });

function map(samples: readonly Sample[], change: (value: number) => number): Sample[] {
  const result: Sample[] = [];
  for (const { labels, value } of samples) result.push({ labels: dropName(labels), value: change(value) });
  return unique(result, samples);
}

const KEEPS_NAME: ReadonlySet<string> = new Set(['first_over_time', 'last_over_time']);

/** `series` and `param` say which argument is the range vector and which the number, if any. */
function overRange(name: string, usual: RangeFunction, series: number, param?: number): Build {
  const keepName = KEEPS_NAME.has(name);
  return (args, _call, dialect) => {
    const compute = dialect.rangeFunctions[name] ?? usual;
    const matrix = args.matrix(series);
    const names = new Steady(keepName ? (labels) => ({ labels, mixed: false }) : nameless);
    const number = param === undefined ? () => Number.NaN : args.scalar(param);
    return vector((context, t) => {
      const { from, to, windows } = matrix(context, t);
      const value = number(context, t);
      const { labels, mixed } = names.of(windows);
      const result: Sample[] = [];
      for (let at = 0; at < windows.length; at++) {
        const computed = compute(windows[at]!, from, to, value, t);
        if (computed !== undefined) result.push({ labels: labels[at]!, value: computed });
      }
      if (mixed) assertUnique(result);
      return result;
    });
  };
}

function clamped(bounds: (args: Args) => readonly [ScalarPlan, ScalarPlan]): Build {
  return (args) => {
    const samples = args.vector(0);
    const [min, max] = bounds(args);
    return vector((context, t) => {
      const unclamped = samples(context, t);
      const [low, high] = [min(context, t), max(context, t)];
      if (low > high) return [];
      return map(unclamped, (value) => clamp(value, low, high));
    });
  };
}

const LOWEST: ScalarPlan = () => Number.NEGATIVE_INFINITY;
const HIGHEST: ScalarPlan = () => Number.POSITIVE_INFINITY;

function datePlan(read: (seconds: number) => number): Build {
  return (args) => {
    if (args.length === 0) return vector((_context, t) => [{ labels: {}, value: read(t / 1000) }]);
    const samples = args.vector(0);
    return vector((context, t) => map(samples(context, t), read));
  };
}

function buckets(
  measure: (numbers: number[], own: Bucket[], dialect: Dialect) => number,
  numbers: number,
): Build {
  return (args, _call, dialect) => {
    const params = Array.from({ length: numbers }, (_, at) => args.scalar(at));
    const samples = args.vector(numbers);
    const group = planBuckets();
    return vector((context, t) => {
      const values = params.map((param) => param(context, t));
      return group(samples(context, t), (own) => measure(values, own, dialect));
    });
  };
}

function absent(isEmpty: (args: Args) => (...at: Parameters<VectorPlan>) => boolean): Build {
  return (args, call) => {
    const sample = { labels: absentLabels(call), value: 1 };
    const empty = isEmpty(args);
    return vector((context, t) => (empty(context, t) ? [sample] : []));
  };
}

function timestamp(args: Args, call: CallNode, dialect: Dialect): Plan {
  const arg = unwrap(call.args[0]!);
  if (arg.kind === 'selector') {
    const times = planTimestamps(arg, dialect);
    return vector((context, t) => map(times(context, t), (value) => value));
  }
  const samples = args.vector(0);
  return vector((context, t) => map(samples(context, t), () => t / 1000));
}

const BUILDERS = new Map<string, Build>([
  ['absent', absent((args) => (context, t) => args.vector(0)(context, t).length === 0)],
  ['absent_over_time', absent((args) => (context, t) => args.matrix(0)(context, t).windows.length === 0)],
  ['clamp', clamped((args) => [args.scalar(1), args.scalar(2)])],
  ['clamp_min', clamped((args) => [args.scalar(1), HIGHEST])],
  ['clamp_max', clamped((args) => [LOWEST, args.scalar(1)])],
  ['histogram_quantile', buckets(([q], own, dialect) => bucketQuantile(q!, own, dialect.bucketTolerance), 1)],
  ['histogram_fraction', buckets(([lower, upper], own) => bucketFraction(lower!, upper!, own), 2)],
  ['pi', () => scalar(() => Math.PI)],
  ['time', () => scalar((_context, t) => t / 1000)],
  ['timestamp', timestamp],
  [
    'round',
    (args) => {
      const samples = args.vector(0);
      const nearest = args.length > 1 ? args.scalar(1) : () => 1;
      return vector((context, t) => {
        const unrounded = samples(context, t);
        const multiple = nearest(context, t);
        return map(unrounded, (value) => round(value, multiple));
      });
    },
  ],
  ...([true, false] as const).map((descending): [string, Build] => [
    descending ? 'sort_desc' : 'sort',
    (args) => {
      const samples = args.vector(0);
      return vector((context, t) => sortSamples([...samples(context, t)], descending));
    },
  ]),
  [
    'scalar',
    (args) => {
      const samples = args.vector(0);
      return scalar((context, t) => {
        const found = samples(context, t);
        return found.length === 1 ? found[0]!.value : Number.NaN;
      });
    },
  ],
  [
    'vector',
    (args) => {
      const number = args.scalar(0);
      return vector((context, t) => [{ labels: {}, value: number(context, t) }]);
    },
  ],
  [
    'label_replace',
    (args) => {
      const samples = args.vector(0);
      const change = labelReplace(args.text(1), args.text(2), args.text(3), args.text(4));
      return vector((context, t) => change(samples(context, t)));
    },
  ],
  [
    'label_join',
    (args) => {
      const samples = args.vector(0);
      const sources = Array.from({ length: args.length - 3 }, (_, at) => args.text(at + 3));
      const change = labelJoin(args.text(1), args.text(2), sources);
      return vector((context, t) => change(samples(context, t)));
    },
  ],
]);

for (const [name, read] of Object.entries(DATE_FUNCTIONS)) BUILDERS.set(name, datePlan(read));
for (const [name, compute] of Object.entries(MATH_FUNCTIONS)) {
  BUILDERS.set(name, (args) => {
    const samples = args.vector(0);
    return vector((context, t) => map(samples(context, t), compute));
  });
}
for (const [name, compute] of Object.entries({ ...RATE_FUNCTIONS, ...OVER_TIME_FUNCTIONS })) {
  BUILDERS.set(name, overRange(name, compute, 0));
}
BUILDERS.set(
  'quantile_over_time',
  overRange('quantile_over_time', OVER_TIME_FUNCTIONS.quantile_over_time!, 1, 0),
);
BUILDERS.set('predict_linear', overRange('predict_linear', OVER_TIME_FUNCTIONS.predict_linear!, 0, 1));
