import type { PrometheusKind } from './prometheus-name.ts';

/**
 * THE table of every metric. docs/metrics.md is generated from it; rules and dashboards are checked against it.
 * Names follow the OpenTelemetry semantic conventions where one exists (`source: 'semconv'`); our own metrics
 * live under `task.`, `queue.` and `taskwarden.`.
 */
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
  readonly source: 'semconv' | 'taskwarden' | 'prometheus';
  /** What the figure is worth: how it is measured, its error, when it is an estimate. */
  readonly quality: string;
}

const TASK = ['messaging.system', 'messaging.destination.name', 'task.name'] as const;
const SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300] as const;
const BLOCKS = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10] as const;
const BYTES = [64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216] as const;
const GC = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1] as const;

const table = {
  // One handler run
  'messaging.process.duration': {
    kind: 'histogram',
    unit: 's',
    buckets: SECONDS,
    source: 'semconv',
    attributes: [...TASK, 'messaging.operation.name', 'error.type'],
    optional: ['error.type'],
    description:
      'Duration of a handler run, from call to settled result. error.type is present when it failed.',
    quality: 'Exact.',
  },
  'messaging.client.consumed.messages': {
    kind: 'counter',
    unit: '{message}',
    source: 'semconv',
    attributes: [...TASK, 'messaging.operation.name'],
    description: 'Jobs delivered to a handler, each attempt once.',
    quality: 'Exact.',
  },
  'task.runs': {
    kind: 'counter',
    unit: '{run}',
    source: 'taskwarden',
    attributes: [...TASK, 'task.outcome'],
    description:
      'Finished handler runs by outcome: success or failure. Both start at 0 when the task is first seen.',
    quality: 'Exact.',
  },
  'task.active': {
    kind: 'updowncounter',
    unit: '{run}',
    source: 'taskwarden',
    attributes: TASK,
    description: 'Handler runs in flight.',
    quality: 'Exact at the moment of reading.',
  },
  'task.active.oldest': {
    kind: 'gauge',
    unit: 's',
    source: 'taskwarden',
    attributes: TASK,
    description: 'Age of the oldest handler run in flight; 0 when none is.',
    quality: 'Exact at the moment of reading.',
  },
  'task.wait.duration': {
    kind: 'histogram',
    unit: 's',
    buckets: SECONDS,
    source: 'taskwarden',
    attributes: [...TASK, 'task.retry'],
    description:
      'Time a job was ready before its handler ran. On a first attempt: pick-up minus enqueue minus delay. ' +
      'task.retry="true" is a later attempt, whose ready time most libraries do not keep: it counts from the moment ' +
      'known best, and is left out where none is known.',
    quality: 'Subject to clock skew between producer and worker; negative values count as 0.',
  },
  'task.cpu.time': {
    kind: 'counter',
    unit: 's',
    source: 'taskwarden',
    attributes: [...TASK, 'task.cpu.quality'],
    description: 'CPU time of the main thread spent in handler runs.',
    quality:
      'exact: time between task switches, idle removed; sync_only: only the part before the first await; warming: exact mode has been on for less than the run.',
  },
  'task.event_loop.block.duration': {
    kind: 'histogram',
    unit: 's',
    buckets: BLOCKS,
    source: 'taskwarden',
    attributes: TASK,
    description:
      'Longest time one handler run kept the event loop to itself without a break, one value a run.',
    quality: 'Exact with task.cpu.quality exact; otherwise only the part before the first await.',
  },
  'task.event_loop.blocked': {
    kind: 'gauge',
    unit: 's',
    source: 'taskwarden',
    attributes: [...TASK, 'task.suspicion'],
    description:
      'How long the event loop has been blocked right now, by the task that holds it; 0 when it runs. ' +
      'task.suspicion: exclusive (this task holds the thread) or shared (one of several in flight).',
    quality: 'Written by the agent thread while the loop is blocked; steps of the watch interval.',
  },
  'task.network.requests': {
    kind: 'counter',
    unit: '{request}',
    source: 'taskwarden',
    attributes: TASK,
    description: 'HTTP requests started by handler runs (fetch, undici, http, https).',
    quality: 'Exact.',
  },
  'task.network.io': {
    kind: 'counter',
    unit: 'By',
    source: 'taskwarden',
    attributes: [...TASK, 'network.io.direction'],
    description: 'Bytes on the wire of those requests; network.io.direction is transmit or receive.',
    quality:
      'Exact over HTTP/1.1, headers included; over TLS the bytes before encryption. Of requests that end within the run.',
  },
  'task.payload.size': {
    kind: 'histogram',
    unit: 'By',
    buckets: BYTES,
    source: 'taskwarden',
    attributes: TASK,
    description: 'Size of the job payload as the queue stores it, in UTF-16 units of its JSON text.',
    quality:
      'Exact for ASCII payloads; others differ from bytes by their multi-byte characters. Unknown is left out.',
  },
  'task.memory.retained': {
    kind: 'gauge',
    unit: 'By',
    source: 'taskwarden',
    attributes: TASK,
    description:
      'Heap that stays behind after each run of the task, bytes per run; absent until it can be told.',
    quality:
      'Estimate: regression of the heap after full collections on completed runs; the lower bound is task.memory.retained.lower.',
  },
  'task.memory.retained.lower': {
    kind: 'gauge',
    unit: 'By',
    source: 'taskwarden',
    attributes: TASK,
    description: 'Lower bound (4 standard errors) of task.memory.retained; 0 or less means: not established.',
    quality: 'Estimate.',
  },
  // The worker process
  'process.cpu.time': {
    kind: 'counter',
    unit: 's',
    source: 'semconv',
    attributes: ['cpu.mode'],
    description: 'CPU time of the whole process; cpu.mode is user or system.',
    quality: 'From the operating system.',
  },
  'process.cpu.utilization': {
    kind: 'gauge',
    unit: '1',
    source: 'semconv',
    attributes: ['cpu.mode'],
    description: 'CPU time over elapsed time since the last reading, divided by the number of CPUs.',
    quality: 'Derived.',
  },
  'process.memory.usage': {
    kind: 'updowncounter',
    unit: 'By',
    source: 'semconv',
    attributes: [],
    description: 'Resident set size.',
    quality: 'From the operating system.',
  },
  'process.memory.virtual': {
    kind: 'updowncounter',
    unit: 'By',
    source: 'semconv',
    attributes: [],
    description: 'Virtual memory size.',
    quality: 'From the operating system; Linux only.',
  },
  'process.thread.count': {
    kind: 'updowncounter',
    unit: '{thread}',
    source: 'semconv',
    attributes: [],
    description: 'Threads of the process.',
    quality: 'From the operating system; Linux only.',
  },
  'process.unix.file_descriptor.count': {
    kind: 'updowncounter',
    unit: '{file_descriptor}',
    source: 'semconv',
    attributes: [],
    description: 'Open file descriptors.',
    quality: 'From the operating system; Linux only.',
  },
  'process.context_switches': {
    kind: 'counter',
    unit: '{context_switch}',
    source: 'semconv',
    attributes: ['process.context_switch.type'],
    description: 'Context switches, voluntary and involuntary.',
    quality: 'From the operating system.',
  },
  'process.paging.faults': {
    kind: 'counter',
    unit: '{fault}',
    source: 'semconv',
    attributes: ['system.paging.fault.type'],
    description: 'Page faults, minor and major.',
    quality: 'From the operating system.',
  },
  'process.uptime': {
    kind: 'gauge',
    unit: 's',
    source: 'semconv',
    attributes: [],
    description: 'Time since the process started.',
    quality: 'Exact.',
  },
  // Node.js and V8
  'nodejs.eventloop.delay.min': eventLoopDelay('Least'),
  'nodejs.eventloop.delay.max': eventLoopDelay('Greatest'),
  'nodejs.eventloop.delay.mean': eventLoopDelay('Mean'),
  'nodejs.eventloop.delay.stddev': eventLoopDelay('Standard deviation of'),
  'nodejs.eventloop.delay.p50': eventLoopDelay('Median'),
  'nodejs.eventloop.delay.p90': eventLoopDelay('90th percentile of'),
  'nodejs.eventloop.delay.p99': eventLoopDelay('99th percentile of'),
  'nodejs.eventloop.utilization': {
    kind: 'gauge',
    unit: '1',
    source: 'semconv',
    attributes: [],
    description: 'Share of time that the event loop was active since the last reading.',
    quality: 'From Node.js.',
  },
  'nodejs.eventloop.time': {
    kind: 'counter',
    unit: 's',
    source: 'semconv',
    attributes: ['nodejs.eventloop.state'],
    description: 'Time that the event loop was active or idle.',
    quality: 'From Node.js.',
  },
  'v8js.gc.duration': {
    kind: 'histogram',
    unit: 's',
    buckets: GC,
    source: 'semconv',
    attributes: ['v8js.gc.type'],
    description: 'Garbage collection pauses: major, minor, incremental, weakcb.',
    quality: 'From V8.',
  },
  'v8js.memory.heap.used': {
    kind: 'updowncounter',
    unit: 'By',
    source: 'semconv',
    attributes: [],
    description: 'Used heap of the main thread.',
    quality: 'From V8, refreshed by the heartbeat.',
  },
  'v8js.memory.heap.space.size': heapSpace('Committed size'),
  'v8js.memory.heap.space.available_size': heapSpace('Available size'),
  'v8js.memory.heap.space.physical_size': heapSpace('Physical size'),
  'taskwarden.worker.heap.limit': {
    kind: 'gauge',
    unit: 'By',
    source: 'taskwarden',
    attributes: [],
    description: 'Limit of the old generation of the main thread, at which V8 aborts the process.',
    quality: "V8's heap_size_limit less the young generation that it includes.",
  },
  'taskwarden.worker.heap.utilization': {
    kind: 'gauge',
    unit: '1',
    source: 'taskwarden',
    attributes: [],
    description: 'Used heap over that limit.',
    quality: 'Refreshed by the heartbeat.',
  },
  'taskwarden.worker.cpu.unattributed': {
    kind: 'counter',
    unit: 's',
    source: 'taskwarden',
    attributes: [],
    description: 'CPU time of the main thread, while exact metering is on, that belongs to no handler run.',
    quality: 'Exact mode only: the queue library, timers of the application, lost async contexts.',
  },
  // Container and host
  'container.cpu.time': {
    kind: 'counter',
    unit: 's',
    source: 'semconv',
    attributes: ['cpu.mode'],
    description: 'CPU time of the control group.',
    quality: 'From cgroup v1 or v2.',
  },
  'container.memory.usage': {
    kind: 'updowncounter',
    unit: 'By',
    source: 'semconv',
    attributes: [],
    description: 'Memory of the control group, page cache included.',
    quality: 'From cgroup v1 or v2.',
  },
  'container.memory.working_set': {
    kind: 'updowncounter',
    unit: 'By',
    source: 'semconv',
    attributes: [],
    description:
      'Memory of the control group less its inactive file cache: what the kernel cannot take back.',
    quality: 'From cgroup v1 or v2.',
  },
  'taskwarden.container.memory.limit': {
    kind: 'gauge',
    unit: 'By',
    source: 'taskwarden',
    attributes: [],
    description:
      'Least memory limit of the control group and its visible parents; absent when there is none.',
    quality: 'From cgroup v1 or v2.',
  },
  'taskwarden.container.cpu.limit': {
    kind: 'gauge',
    unit: '{cpu}',
    source: 'taskwarden',
    attributes: [],
    description:
      'Least CPU quota of the control group and its visible parents, in CPUs; absent when there is none.',
    quality: 'From cgroup v1 or v2.',
  },
  'taskwarden.container.cpu.throttled': {
    kind: 'counter',
    unit: 's',
    source: 'taskwarden',
    attributes: [],
    description: 'Time that the control group was held back by its CPU quota.',
    quality: 'From cgroup v1 or v2.',
  },
  'taskwarden.container.oom_kills': {
    kind: 'counter',
    unit: '{kill}',
    source: 'taskwarden',
    attributes: [],
    description: 'Processes of the control group that the kernel killed for memory.',
    quality: 'From cgroup v1 or v2.',
  },
  'taskwarden.container.pressure': {
    kind: 'counter',
    unit: 's',
    source: 'taskwarden',
    attributes: ['resource'],
    description: 'Time in which some task of the control group waited for cpu, memory or io (PSI, some).',
    quality: 'From cgroup v2.',
  },
  'system.cpu.utilization': {
    kind: 'gauge',
    unit: '1',
    source: 'semconv',
    attributes: [],
    description: 'Share of all CPUs of the machine in use since the last reading.',
    quality: 'From the operating system.',
  },
  'system.memory.usage': {
    kind: 'updowncounter',
    unit: 'By',
    source: 'semconv',
    attributes: ['system.memory.state'],
    description:
      'Memory of the machine: used, available (what programs may still have; with used it makes up all), free (of that, in no use at all).',
    quality: 'From systeminformation on Linux, from Node.js elsewhere.',
  },
  'system.network.io': {
    kind: 'counter',
    unit: 'By',
    source: 'semconv',
    attributes: ['network.interface.name', 'network.io.direction'],
    description:
      'Bytes through each network interface of the machine, or of the container where it has its own.',
    quality: 'From /proc/net/dev; Linux only, and the first 32 interfaces that carry something.',
  },
  'system.network.errors': {
    kind: 'counter',
    unit: '{error}',
    source: 'semconv',
    attributes: ['network.interface.name', 'network.io.direction'],
    description: 'Errors on each network interface of the machine, or of the container where it has its own.',
    quality: 'From /proc/net/dev; Linux only, and the first 32 interfaces that carry something.',
  },
  // The agent itself
  'taskwarden.records.dropped': {
    kind: 'counter',
    unit: '{record}',
    source: 'taskwarden',
    attributes: ['reason'],
    description: 'Records that the main thread could not hand over: ring_full, table_full.',
    quality: 'Exact.',
  },
  'taskwarden.telemetry.dropped': {
    kind: 'counter',
    unit: '{item}',
    source: 'taskwarden',
    attributes: ['signal', 'reason'],
    description: 'Spans, log records and metric exports given up: queue_full, rejected, shutdown.',
    quality: 'Exact.',
  },
  'taskwarden.export.failures': {
    kind: 'counter',
    unit: '{export}',
    source: 'taskwarden',
    attributes: ['signal'],
    description: 'Export requests that failed, each attempt once.',
    quality: 'Exact.',
  },
  'taskwarden.errors': {
    kind: 'counter',
    unit: '{error}',
    source: 'taskwarden',
    attributes: ['part'],
    description: 'Faults inside Taskwarden that were caught; the first of each part is logged.',
    quality: 'Exact.',
  },
  'taskwarden.tasks.folded': {
    kind: 'counter',
    unit: '{run}',
    source: 'taskwarden',
    attributes: [],
    description: 'Runs whose task name was over the cap and counts as "other".',
    quality: 'Exact.',
  },
  'taskwarden.series': {
    kind: 'gauge',
    unit: '{series}',
    source: 'taskwarden',
    attributes: [],
    description: 'Series in the in-process store.',
    quality: 'Exact.',
  },
  'taskwarden.series.dropped': {
    kind: 'counter',
    unit: '{sample}',
    source: 'taskwarden',
    attributes: [],
    description: 'Samples refused because the store is full.',
    quality: 'Exact.',
  },
  'taskwarden.rules.evaluations': {
    kind: 'counter',
    unit: '{evaluation}',
    source: 'taskwarden',
    attributes: ['outcome'],
    description: 'Rule evaluations by outcome: success, failure, missed.',
    quality: 'Exact.',
  },
  'taskwarden.rules.evaluation.duration': {
    kind: 'gauge',
    unit: 's',
    source: 'taskwarden',
    attributes: [],
    description: 'How long the last evaluation of all rules took.',
    quality: 'Exact.',
  },
  'taskwarden.agent.cpu.time': {
    kind: 'counter',
    unit: 's',
    source: 'taskwarden',
    attributes: [],
    description: 'CPU time of the agent thread.',
    quality: 'From Node.js.',
  },
} as const satisfies Record<string, MetricDefinition>;

function eventLoopDelay(what: string): MetricDefinition {
  return {
    kind: 'gauge',
    unit: 's',
    source: 'semconv',
    attributes: [],
    description: `${what} delay of the event loop since the last reading.`,
    quality: 'How late the heartbeat came; a sample every heartbeat, quantiles within 10 %.',
  };
}

function heapSpace(what: string): MetricDefinition {
  return {
    kind: 'updowncounter',
    unit: 'By',
    source: 'semconv',
    attributes: ['v8js.heap.space.name'],
    description: `${what} of a heap space of the main thread.`,
    quality: 'From V8, refreshed by the heartbeat.',
  };
}

export type MetricName = keyof typeof table;
export const METRICS: Readonly<Record<MetricName, MetricDefinition>> = table;

/**
 * What the rule engine makes, in Prometheus's own names. It appears in the store and, as gauges with an empty unit, in
 * the exported metrics.
 */
export const ALERT_SERIES = ['ALERTS', 'ALERTS_FOR_STATE'] as const;
