/** Kinds of what a run may leave behind: `heap`, `external` (array buffers), `rss` (memory that V8 is not told of) and `descriptors`. */
export type LeakKind = 'heap' | 'external' | 'rss' | 'descriptors';

export interface Leak {
  readonly kind: LeakKind;
  /** What a run leaves behind: bytes, or descriptors. */
  readonly amount: number;
  /** Share of the runs that do; all when left out. */
  readonly chance?: number;
  /** Seconds after which it begins, and ends; always when left out. */
  readonly fromS?: number;
  readonly untilS?: number;
}

export interface Cache {
  readonly kind: 'heap' | 'external';
  /** Bytes of an entry. */
  readonly entry: number;
  /** Bytes at which it is full. */
  readonly capacity: number;
  /**
   * `distinct`: every run brings a key that is not there, until the cache is full and takes no more; `random`: keys are drawn from as many as fit;
   * `lru`: every run brings a new key, and the oldest goes once it is full; `ttl`: the same, an entry lives for 10 s; `batch`: it is
   * emptied when full.
   */
  readonly keys: 'distinct' | 'random' | 'lru' | 'ttl' | 'batch';
}

/**
 * How ten task types arrive: at random and every third in bursts; four times as often at the end as at the beginning; all in bursts at once; or as
 * usual, while one of them takes ever longer, so that more and more of its runs are in flight.
 */
export type LoadShape = 'usual' | 'rising' | 'waves' | 'backlog';

export interface Scenario {
  readonly load: LoadShape;
  /** Of the task `leaking`. */
  readonly leak?: Leak;
  /** Of the tasks `caching` and `text`. */
  readonly caches?: readonly Cache[];
}

const cache = (megabytes: number, keys: Cache['keys'], entry = 20_000): Cache => {
  return { kind: 'heap', entry, capacity: megabytes * 1e6, keys };
};

/** Workers that leak nothing, whatever their memory does. */
export const INNOCENT = {
  none: { load: 'usual' },
  'rising load': { load: 'rising' },
  'load in waves': { load: 'waves' },
  'growing backlog': { load: 'backlog' },
  'cache of 2 MB': { load: 'usual', caches: [cache(2, 'distinct')] },
  'cache of 8 MB': { load: 'usual', caches: [cache(8, 'distinct', 10_000)] },
  'cache of 20 MB': { load: 'usual', caches: [cache(20, 'distinct')] },
  'slow cache of 20 MB': { load: 'usual', caches: [cache(20, 'distinct', 5000)] },
  'cache of 20 MB by random keys': { load: 'usual', caches: [cache(20, 'random')] },
  'cache of 60 MB by random keys': { load: 'usual', caches: [cache(60, 'random')] },
  'LRU of 12 MB in waves': { load: 'waves', caches: [cache(12, 'lru')] },
  'caches of 10 and 20 MB': {
    load: 'usual',
    caches: [cache(10, 'random', 10_000), cache(20, 'lru', 30_000)],
  },
  'entries of 10 s, rising load': { load: 'rising', caches: [cache(60, 'ttl', 20_000)] },
  'batches of 8 MB': { load: 'usual', caches: [cache(8, 'batch', 20_000)] },
  'buffers of 20 MB': { load: 'usual', caches: [{ ...cache(20, 'distinct', 30_000), kind: 'external' }] },
  'growth that stops': {
    load: 'usual',
    leak: { kind: 'heap', amount: 20_000, fromS: 15, untilS: 35 },
  },
} as const satisfies Record<string, Scenario>;

/** Workers in which the task `leaking` leaks. */
export const LEAKS = {
  '50 KB': { load: 'usual', leak: { kind: 'heap', amount: 50_000 } },
  '10 KB': { load: 'usual', leak: { kind: 'heap', amount: 10_000 } },
  '10 KB, rising load': { load: 'rising', leak: { kind: 'heap', amount: 10_000 } },
  '10 KB, as 30 KB of a run in three': {
    load: 'usual',
    leak: { kind: 'heap', amount: 30_000, chance: 1 / 3 },
  },
  '3 KB': { load: 'usual', leak: { kind: 'heap', amount: 3000 } },
  '10 KB beside a cache of 8 MB': {
    load: 'usual',
    leak: { kind: 'heap', amount: 10_000 },
    caches: [cache(8, 'random', 10_000)],
  },
  '10 KB after 30 s': { load: 'usual', leak: { kind: 'heap', amount: 10_000, fromS: 30 } },
  '10 KB of buffers': { load: 'usual', leak: { kind: 'external', amount: 10_000 } },
  '50 KB outside of V8': { load: 'usual', leak: { kind: 'rss', amount: 50_000 } },
  'a descriptor in two runs': { load: 'usual', leak: { kind: 'descriptors', amount: 1, chance: 0.5 } },
} as const satisfies Record<string, Scenario>;

export const SCENARIOS: Readonly<Record<string, Scenario>> = { ...INNOCENT, ...LEAKS };

/** The first line that a worker prints. */
export interface Head {
  readonly scenario: string;
  readonly seed: number;
  readonly tasks: readonly string[];
}

/** Every other line: what one full collection left, and the finished runs of each task in the order of the head. */
export type SampleLine = readonly [
  ms: number,
  heap: number,
  external: number,
  rss: number,
  descriptors: number,
  inFlight: number,
  ...runs: number[],
];
