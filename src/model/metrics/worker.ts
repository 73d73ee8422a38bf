import type { MetricDefinition } from './definition.ts';

const GC = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1] as const;

/** The worker process, Node.js and V8. */
export const WORKER_METRICS = {
  'process.cpu.time': {
    kind: 'counter',
    startUnknown: true,
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
    startUnknown: true,
    unit: '{context_switch}',
    source: 'semconv',
    attributes: ['process.context_switch.type'],
    description: 'Context switches, voluntary and involuntary.',
    quality: 'From the operating system.',
  },
  'process.paging.faults': {
    kind: 'counter',
    startUnknown: true,
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
    attributes: ['kind'],
    description:
      'CPU time that belongs to no handler run. kind: no_task (of the instrumented thread: the queue library, timers of the application, ' +
      "lost async contexts) or off_thread (thread pool, V8's helpers, other threads; the agent's own is left out).",
    quality:
      'no_task: as task.cpu.time, while that is exact or sampled. off_thread: process less threads, Node.js 22.19 and later; early or late by a second.',
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
