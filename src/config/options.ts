import { ACTIONS, type ActionName } from '../model/action.ts';
import { address, path, redisAddress, secret } from './address.ts';
import type { Endpoint } from './endpoint.ts';
import { endpoints, httpUrl, secretEndpoints } from './endpoints.ts';
import {
  boolean,
  choice,
  choices,
  duration,
  integer,
  type Kind,
  list,
  number,
  text,
  textMap,
} from './kinds.ts';
import type { OtelSettings } from './otel.ts';
import { stateDir } from './state-dir.ts';

export type LogLevel = 'none' | 'error' | 'warn' | 'info' | 'debug';
export const LOG_LEVELS = ['none', 'error', 'warn', 'info', 'debug'] as const satisfies readonly LogLevel[];

/** What a user may set, by its own name. Durations are in ms. */
export interface Settings {
  readonly enabled: boolean;
  readonly rules: readonly string[];
  readonly shippedRules: boolean;
  readonly rulesReload: boolean;
  readonly rulesBudget: number;
  readonly alertsMetric: 'auto' | 'on' | 'off';
  /** `auto`, `off` or a path. */
  readonly state: { readonly dir: string };
  readonly recorder: 'off' | 'interval' | 'event';
  readonly poison: { readonly deaths: number; readonly taskDeaths: number; readonly window: number };
  readonly cpu: { readonly mode: 'auto' | 'exact' | 'sampled' | 'sync' | 'off'; readonly budget: number };
  readonly watch: { readonly threshold: number; readonly interval: number };
  /** Cache and RSS limit in MiB; a limit of 0 is none. */
  readonly memory: { readonly gcBudget: number; readonly cache: number; readonly rssLimit: number };
  readonly overdue: { readonly factor: number; readonly runs: number; readonly floor: number };
  readonly network: boolean;
  readonly handles: { readonly watch: boolean; readonly grace: number };
  readonly jobs: { readonly watch: boolean };
  readonly spans: boolean;
  readonly maxTasks: number;
  readonly maxServers: number;
  readonly machine: { readonly interval: number };
  readonly queues: {
    readonly watch: 'seen' | 'off';
    readonly interval: number;
    readonly redis: string;
    readonly hostRoot: string;
  };
  readonly store: { readonly step: number; readonly retention: number; readonly maxSeries: number };
  readonly telemetry: { readonly parent: 'link' | 'parent' };
  /** `host:port`; '' where the HTTP API is off. */
  readonly http: string;
  /** What requests must carry; '' where they need nothing. The content of `httpTokenFile` where that is set. */
  readonly httpToken: string;
  readonly httpTokenFile: string;
  readonly httpHosts: readonly string[];
  readonly alertmanagers: readonly Endpoint[];
  readonly webhooks: readonly Endpoint[];
  readonly externalLabels: Readonly<Record<string, string>>;
  /** '' where it is not known. */
  readonly externalUrl: string;
  /** What rules may ask for. */
  readonly actions: readonly ActionName[];
  readonly actionsDryRun: boolean;
  /** ms. */
  readonly actionsGrace: number;
  readonly evidence: {
    /** `auto`, `off` or a path. */
    readonly dir: string;
    readonly profile: number;
    readonly maxFiles: number;
    /** MiB. */
    readonly maxSize: number;
    readonly maxAge: number;
  };
  readonly log: { readonly level: LogLevel };
}

/** Every default, in one place: of our own options first, then of those OTEL_* variables that Taskwarden reads itself. */
export const DEFAULTS: Settings & { readonly otel: OtelSettings } = {
  enabled: true,
  rules: [],
  shippedRules: true,
  rulesReload: true,
  rulesBudget: 500,
  alertsMetric: 'auto',
  state: { dir: 'auto' },
  recorder: 'interval',
  poison: { deaths: 3, taskDeaths: 5, window: 86_400_000 },
  cpu: { mode: 'auto', budget: 0.02 },
  watch: { threshold: 1000, interval: 50 },
  memory: { gcBudget: 0.005, cache: 32, rssLimit: 0 },
  overdue: { factor: 5, runs: 100, floor: 1000 },
  network: true,
  handles: { watch: true, grace: 10_000 },
  jobs: { watch: true },
  spans: true,
  maxTasks: 200,
  maxServers: 50,
  machine: { interval: 15_000 },
  queues: { watch: 'seen', interval: 10_000, redis: '', hostRoot: '/' },
  store: { step: 5000, retention: 900_000, maxSeries: 25_000 },
  telemetry: { parent: 'link' },
  http: '',
  httpToken: '',
  httpTokenFile: '',
  httpHosts: [],
  alertmanagers: [],
  webhooks: [],
  externalLabels: {},
  externalUrl: '',
  actions: ['capture-stack', 'cpu-profile', 'heap-profile'],
  actionsDryRun: false,
  actionsGrace: 30_000,
  evidence: { dir: 'auto', profile: 5000, maxFiles: 100, maxSize: 512, maxAge: 604_800_000 },
  log: { level: 'warn' },
  otel: {
    disabled: false,
    serviceName: 'unknown_service:node',
    resourceAttributes: {},
    exporters: { traces: ['otlp'], metrics: ['otlp'], logs: ['otlp'] },
    protocols: { traces: 'http/protobuf', metrics: 'http/protobuf', logs: 'http/protobuf' },
    sampler: { name: 'parentbased_always_on', ratio: 1 },
    // OpenTelemetry's default is a minute, too long for one who looks at a worker that misbehaves now.
    metricExportInterval: 10_000,
    metricExportTimeout: 30_000,
  },
};

const externalLabels = textMap(
  'names and values of labels, such as {env: prod}; in a variable env=prod,cluster=eu',
  (name) => /^(?!__)[a-zA-Z_][a-zA-Z0-9_]*$/.test(name),
  (value) => value !== '',
);

export interface Option {
  readonly kind: Kind;
  readonly about: string;
}

/**
 * Every option by its path in taskwarden.yaml. The environment variable is TASKWARDEN_ and the path in capitals with `_`
 * for `.`; the key in {@link Settings} is the path in camel case.
 */
export const OPTIONS: Readonly<Record<string, Option>> = {
  enabled: { kind: boolean, about: 'False makes the preload do nothing at all.' },
  rules: { kind: list, about: 'Rule files to load beside the shipped ones: paths and globs.' },
  shipped_rules: { kind: boolean, about: 'Whether the rules that come with Taskwarden are loaded.' },
  rules_reload: {
    kind: boolean,
    about:
      'Whether rule files are watched and read again when they change, and on SIGHUP where the application listens to it.',
  },
  rules_budget: {
    kind: duration('10ms', '10s'),
    about:
      'How long rules may be evaluated at a time; groups that there is no time for come first the next time.',
  },
  alerts_metric: {
    kind: choice(['auto', 'on', 'off']),
    about:
      'Whether the metrics ALERTS and ALERTS_FOR_STATE are exported; auto leaves out alerts whose annotation `taskwarden_ruler` is `prometheus`.',
  },
  'state.dir': {
    kind: stateDir,
    about:
      'Folder in which pending and firing alerts outlive a restart, and runs in flight a crash; auto is $STATE_DIRECTORY of systemd or a folder of the user among the temporary files.',
  },
  recorder: {
    kind: choice(['off', 'interval', 'event']),
    about:
      'Whether the runs in flight are kept in a file in `state.dir`, so that they are known when the process dies: interval looks ten times a second, event has each run written by the thread that runs it. See [crashes.md](crashes.md).',
  },
  'poison.deaths': {
    kind: integer(2, 1000),
    about: 'Deaths of workers at which one job was in flight from which TaskPoison names it.',
  },
  'poison.task_deaths': {
    kind: integer(2, 1000),
    about:
      'Deaths within an hour of which runs of one task were the only suspects from which TaskPoison names the task.',
  },
  'poison.window': {
    kind: duration('1m', '30d'),
    about: 'How long a death counts towards `poison.deaths`.',
  },
  'cpu.mode': {
    kind: choice(['auto', 'exact', 'sampled', 'sync', 'off']),
    about:
      'How CPU time is attributed: exact follows every task switch (Node.js 24.14 and later, within the budget), sampled looks about 80 times a second which task is running, sync counts up to the first await, auto is exact where the rate of runs allows it, and sampled elsewhere.',
  },
  'cpu.budget': {
    kind: number(0, 1),
    about: 'Share of one core that exact CPU metering may cost; 1 for whatever it costs.',
  },
  'watch.threshold': {
    kind: duration('20ms', '1h'),
    about:
      'How long the event loop must be blocked to be reported. Unless it is set, rules with smaller bounds are told earlier: see [rules.md](rules.md#blocked-event-loops).',
  },
  'watch.interval': {
    kind: duration('5ms', '10s'),
    about: 'Time between two signs of life of the event loop; four times as much while no run is in flight.',
  },
  'memory.gc_budget': {
    kind: number(0, 0.5),
    about: 'Share of time that garbage collections for the sake of measuring memory may take; 0 makes none.',
  },
  'memory.cache': {
    kind: integer(1, 1_048_576),
    about:
      'What caches of the worker may fill, MiB: a task is not said to leak (TaskMemoryGrowth) before it has added that, outside of V8 twice that.',
  },
  'memory.rss_limit': {
    kind: integer(0, 1_048_576),
    about:
      'Resident memory that something outside stops the worker at, MiB: alerts tell how near it is. 0 where nothing does, or a control group has a limit, which is known.',
  },
  'overdue.factor': {
    kind: number(1, 1000),
    about:
      'How many times the 99th percentile of its task a run may take before `task.overdue` counts it. See [actions.md](actions.md#timeouts).',
  },
  'overdue.runs': {
    kind: integer(20, 1_000_000),
    about: 'Runs of a task that must have ended before its percentile says anything.',
  },
  'overdue.floor': {
    kind: duration('1ms', '1d'),
    about: 'The age below which no run is overdue, however fast its task is.',
  },
  network: { kind: boolean, about: 'Whether requests and bytes of handler runs are counted.' },
  'handles.watch': {
    kind: boolean,
    about:
      'Whether sockets, timers, servers, child processes and threads that runs leave open are looked for.',
  },
  'handles.grace': {
    kind: duration('1s', '1h'),
    about: 'How long after the end of a run what it opened may stay open. Shorter timers are not looked at.',
  },
  'jobs.watch': {
    kind: boolean,
    about: 'Whether job objects that stay in memory, and jobs that run twice, are looked for.',
  },
  spans: { kind: boolean, about: 'Whether a span is made for every handler run.' },
  max_tasks: {
    kind: integer(1, 10_000),
    about: 'Task names with series of their own; further ones count as "other".',
  },
  max_servers: {
    kind: integer(1, 10_000),
    about: 'Servers and circuit breakers with series of their own; further ones count as "other".',
  },
  'machine.interval': {
    kind: duration('1s', '1h'),
    about: 'Time between two readings of the machine as a whole.',
  },
  'queues.watch': {
    kind: choice(['seen', 'off']),
    about: 'Whether the queues whose workers run here are watched in Redis: see [queues.md](queues.md).',
  },
  'queues.interval': {
    kind: duration('1s', '5m'),
    about: 'Time between two polls of the queues of a Redis; it grows while Redis is slow or busy.',
  },
  'queues.redis': {
    kind: redisAddress,
    about:
      'Address of the Redis of queues whose connection cannot be told from the worker, such as redis://host:6379/0.',
  },
  'queues.host_root': {
    kind: text,
    about:
      'Folder with the /proc and /sys of the machine that workers of other languages run on: see [asynq.md](asynq.md).',
  },
  'store.step': {
    kind: duration('100ms', '5m'),
    about: 'Time between two samples of a series in the in-process store.',
  },
  'store.retention': { kind: duration('10s', '1d'), about: 'How far back the in-process store reaches.' },
  'store.max_series': {
    kind: integer(100, 1_000_000),
    about:
      'Series that the in-process store holds at most. A task has 71 to 116; each takes some 3 kB when the store is full.',
  },
  'telemetry.parent': {
    kind: choice(['link', 'parent']),
    about: "Whether a run's span is linked to the span that enqueued the job, or is its child.",
  },
  http: {
    kind: address,
    about:
      'Where the Prometheus HTTP API listens; off unless set. Beyond the loopback interface it needs a token.',
  },
  http_token: {
    kind: secret,
    about: 'What requests to the HTTP API must carry as `Authorization: Bearer …`.',
  },
  http_token_file: { kind: path, about: 'A file that holds the token instead.' },
  http_hosts: {
    kind: list,
    about:
      'Host names under which the HTTP API may be asked, beside localhost, IP addresses and the name of the machine.',
  },
  alertmanagers: {
    kind: endpoints,
    about: 'Alertmanagers that alerts are sent to, every one of them: see [alerts.md](alerts.md).',
  },
  webhooks: {
    kind: secretEndpoints,
    about: "Servers that alerts are sent to in the JSON of Alertmanager's webhooks.",
  },
  external_labels: {
    kind: externalLabels,
    about:
      'Labels that alerts get on their way to an Alertmanager or a webhook, unless they have them; `$externalLabels` in templates.',
  },
  external_url: {
    kind: httpUrl,
    about:
      'Where people reach a Prometheus with these metrics, or the HTTP API: the link of an alert to its source, and `externalURL` in templates.',
  },
  actions: {
    kind: choices(ACTIONS),
    about:
      'What rules may ask for in their annotation `taskwarden_action`. What is not in the list is not done, and said to be so: see [evidence.md](evidence.md) and [actions.md](actions.md).',
  },
  actions_dry_run: {
    kind: boolean,
    about:
      'Whether actions that stop something only say what they would have done. Captures are made all the same.',
  },
  actions_grace: {
    kind: duration('100ms', '1h'),
    about:
      'How long the process may take to end by itself when an action has asked it to, before SIGKILL: see [actions.md](actions.md).',
  },
  'evidence.dir': {
    kind: stateDir,
    about:
      'Folder of the files that captures write; auto is `evidence` in `state.dir`. Whoever may read it reads what the worker has in memory.',
  },
  'evidence.profile': {
    kind: duration('100ms', '1m'),
    about: 'How long a CPU or heap profile takes.',
  },
  'evidence.max_files': {
    kind: integer(1, 10_000),
    about: 'Captures that the folder keeps; the oldest make room.',
  },
  'evidence.max_size': {
    kind: integer(1, 1_048_576),
    about: 'Size of the folder, and of one capture at most, MiB; the oldest make room.',
  },
  'evidence.max_age': { kind: duration('1m', '365d'), about: 'How long a capture is kept.' },
  'log.level': { kind: choice(LOG_LEVELS), about: 'What Taskwarden writes to stderr about itself.' },
};

/** Variables with our prefix that are no options: the configuration file, the Redis of the demo and the tests, and the process id of `taskwarden run`. */
export const OTHER_VARIABLES: readonly string[] = [
  'TASKWARDEN_CONFIG',
  'TASKWARDEN_REDIS_URL',
  'TASKWARDEN_SUPERVISOR',
];

/** `watch.interval` → `TASKWARDEN_WATCH_INTERVAL`. */
export function variableOf(path: string): string {
  return `TASKWARDEN_${path.replaceAll('.', '_').toUpperCase()}`;
}

/** `memory.gc_budget` → `['memory', 'gcBudget']`. */
export function keysOf(path: string): string[] {
  return path.split('.').map((part) => part.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase()));
}
