import type { MetricName } from '../model/metrics.ts';
import { firing, increase, maxBy, quantile, rate, series, sumBy } from './queries.ts';
import type { DashboardSpec, PanelSpec, TargetSpec } from './spec.ts';

const INSTANCE = ['instance'];
const AT = '{{instance}}';

const gauge = (name: MetricName, what: string, mayBeEmpty?: string): TargetSpec => ({
  expr: maxBy(INSTANCE, series(name)),
  legend: what === '' ? AT : `${what} ${AT}`,
  ...(mayBeEmpty !== undefined && { mayBeEmpty }),
});

/** A counter's rate, split by one of its labels where `label` names one. */
const flow = (name: MetricName, label?: string, what = '', mayBeEmpty?: string): TargetSpec => ({
  expr: sumBy(label === undefined ? INSTANCE : [...INSTANCE, label], rate(name)),
  legend: [what, AT, label === undefined ? '' : `{{${label}}}`].filter((part) => part !== '').join(' '),
  ...(mayBeEmpty !== undefined && { mayBeEmpty }),
});

const graph = (
  title: string,
  unit: string,
  description: string,
  targets: readonly TargetSpec[],
  rest: Partial<PanelSpec> = {},
): PanelSpec => ({ title, unit, description, kind: 'timeseries', targets, ...rest });

const NO_CGROUP = 'the worker is in no control group';
const NO_LIMIT = 'the control group has no such limit';
const NO_FAULT = 'nothing of the kind has happened';

const processRow: readonly PanelSpec[] = [
  graph('CPU', 's', 'CPU seconds per second of the whole process, user and system.', [
    flow('process.cpu.time', 'cpu_mode'),
  ]),
  graph('CPU utilization', 'percentunit', 'CPU time over elapsed time and number of CPUs.', [
    { expr: sumBy(INSTANCE, series('process.cpu.utilization')), legend: AT },
  ]),
  graph('Resident memory', 'bytes', 'Resident set size of the process.', [gauge('process.memory.usage', '')]),
  graph('File descriptors', 'short', 'Open file descriptors: a line that only climbs is a leak of handles.', [
    gauge('process.unix.file_descriptor.count', ''),
  ]),
  graph('Threads', 'short', 'Threads of the process.', [gauge('process.thread.count', '')]),
  graph('Uptime', 's', 'Time since the process started: a saw is a crash loop.', [
    gauge('process.uptime', ''),
  ]),
  graph(
    'Context switches',
    'cps',
    'Involuntary ones mean that others compete for the CPU.',
    [flow('process.context_switches', 'process_context_switch_type')],
    { width: 12 },
  ),
  graph(
    'Page faults',
    'cps',
    'Major ones wait for a disk.',
    [flow('process.paging.faults', 'system_paging_fault_type')],
    {
      width: 12,
    },
  ),
];

const runtimeRow: readonly PanelSpec[] = [
  graph(
    'Heap against its limit',
    'bytes',
    'Used heap of the main thread, and the limit at which V8 aborts the process.',
    [gauge('v8js.memory.heap.used', 'used'), gauge('taskwarden.worker.heap.limit', 'limit')],
  ),
  graph('Heap utilization', 'percentunit', 'Used heap over that limit.', [
    gauge('taskwarden.worker.heap.utilization', ''),
  ]),
  graph(
    'Heap spaces',
    'bytes',
    'Committed size of each heap space of the main thread, summed over the selected instances.',
    [
      {
        expr: sumBy(['v8js_heap_space_name'], series('v8js.memory.heap.space.size')),
        legend: '{{v8js_heap_space_name}}',
      },
    ],
    { stacked: true },
  ),
  graph('Garbage collection', 's', 'Seconds per second that the main thread stands still for it, by type.', [
    {
      expr: sumBy([...INSTANCE, 'v8js_gc_type'], rate('v8js.gc.duration', [], 'sum')),
      legend: `${AT} {{v8js_gc_type}}`,
    },
  ]),
  graph('Garbage collection pause, 99th percentile', 's', 'Length of single pauses, by type.', [
    {
      expr: quantile(0.99, 'v8js.gc.duration', [...INSTANCE, 'v8js_gc_type']),
      legend: `${AT} {{v8js_gc_type}}`,
    },
  ]),
  graph(
    'Event loop utilization',
    'percentunit',
    'Share of time that the event loop was active.',
    [gauge('nodejs.eventloop.utilization', '')],
    { max: 1 },
  ),
  graph(
    'Event loop delay',
    's',
    'How late the event loop came, between two readings.',
    [
      gauge('nodejs.eventloop.delay.p50', 'p50'),
      gauge('nodejs.eventloop.delay.p99', 'p99'),
      gauge('nodejs.eventloop.delay.max', 'max'),
    ],
    { width: 12 },
  ),
  graph(
    'Event loop time',
    's',
    'Seconds per second that the event loop was active or idle.',
    [flow('nodejs.eventloop.time', 'nodejs_eventloop_state')],
    { width: 12, stacked: true },
  ),
];

const containerRow: readonly PanelSpec[] = [
  graph('Container CPU', 's', 'CPU seconds per second of the control group, and its quota in CPUs.', [
    flow('container.cpu.time', undefined, 'used', NO_CGROUP),
    gauge('taskwarden.container.cpu.limit', 'limit', NO_LIMIT),
  ]),
  graph('Container CPU throttled', 's', 'Seconds per second that the quota held the control group back.', [
    flow('taskwarden.container.cpu.throttled', undefined, '', NO_LIMIT),
  ]),
  graph(
    'Container memory',
    'bytes',
    'Memory of the control group, what the kernel cannot take back, and the limit.',
    [
      gauge('container.memory.usage', 'usage', NO_CGROUP),
      gauge('container.memory.working_set', 'working set', NO_CGROUP),
      gauge('taskwarden.container.memory.limit', 'limit', NO_LIMIT),
    ],
  ),
  graph(
    'Out-of-memory kills',
    'short',
    'Processes of the control group that the kernel killed for memory, per rate interval.',
    [
      {
        expr: sumBy(INSTANCE, increase('taskwarden.container.oom_kills')),
        legend: AT,
        mayBeEmpty: NO_CGROUP,
      },
    ],
    { width: 12 },
  ),
  graph(
    'Pressure',
    's',
    'Seconds per second in which some task of the control group waited for cpu, memory or io.',
    [flow('taskwarden.container.pressure', 'resource', '', 'cgroup v1, or pressure accounting is off')],
    { width: 12 },
  ),
];

const hostRow: readonly PanelSpec[] = [
  graph(
    'Host CPU',
    'percentunit',
    'Share of all CPUs of the machine in use.',
    [gauge('system.cpu.utilization', '')],
    {
      max: 1,
    },
  ),
  graph('Host memory', 'bytes', 'Memory of the machine by state.', [
    {
      expr: maxBy([...INSTANCE, 'system_memory_state'], series('system.memory.usage')),
      legend: `${AT} {{system_memory_state}}`,
    },
  ]),
  graph('Host network', 'Bps', 'Bytes through each network interface of the machine.', [
    {
      expr: sumBy([...INSTANCE, 'network_interface_name', 'network_io_direction'], rate('system.network.io')),
      legend: `${AT} {{network_interface_name}} {{network_io_direction}}`,
    },
  ]),
  graph(
    'Host network errors',
    'cps',
    'Errors on each network interface of the machine.',
    [
      {
        expr: sumBy(
          [...INSTANCE, 'network_interface_name', 'network_io_direction'],
          rate('system.network.errors'),
        ),
        legend: `${AT} {{network_interface_name}} {{network_io_direction}}`,
      },
    ],
    { width: 24 },
  ),
];

const agentRow: readonly PanelSpec[] = [
  graph('Agent CPU', 's', 'CPU seconds per second of the agent thread.', [
    flow('taskwarden.agent.cpu.time', undefined, '', 'the CPU time of a thread is unknown on Node.js 22'),
  ]),
  graph('Rule evaluation', 's', 'How long the last evaluation of all rules took.', [
    gauge('taskwarden.rules.evaluation.duration', ''),
  ]),
  graph('Rule evaluations', 'cps', 'Rule evaluations per second by outcome.', [
    flow('taskwarden.rules.evaluations', 'outcome'),
  ]),
  graph('Series in the store', 'short', 'Series that the agent keeps for its rules.', [
    gauge('taskwarden.series', ''),
  ]),
  graph(
    'Dropped',
    'cps',
    'What was given up per second: run records, telemetry, samples; and runs folded into the task "other".',
    [
      flow('taskwarden.records.dropped', 'reason', 'records', NO_FAULT),
      flow('taskwarden.telemetry.dropped', 'signal', 'telemetry', NO_FAULT),
      flow('taskwarden.series.dropped', undefined, 'samples', NO_FAULT),
      flow('taskwarden.tasks.folded', undefined, 'folded runs', NO_FAULT),
    ],
  ),
  graph('Faults', 'cps', 'Faults inside Taskwarden that were caught, and export requests that failed.', [
    flow('taskwarden.errors', 'part', 'fault', NO_FAULT),
    flow('taskwarden.export.failures', 'signal', 'export', NO_FAULT),
  ]),
];

export const worker: DashboardSpec = {
  file: 'worker',
  uid: 'taskwarden-worker',
  title: 'Taskwarden / Worker',
  description:
    'The process around the tasks: CPU, memory, event loop, container, host, and the agent itself.',
  variables: [],
  rows: [
    {
      title: 'Overview',
      panels: [
        {
          title: 'Alerts firing',
          description: 'Alerts that fire now in these workers.',
          kind: 'table',
          unit: 'short',
          width: 24,
          targets: [{ expr: firing(), legend: 'Firing', unit: 'hidden', mayBeEmpty: 'no alert fires' }],
        },
      ],
    },
    { title: 'Process', panels: processRow },
    { title: 'Node.js and V8', panels: runtimeRow },
    { title: 'Container', panels: containerRow },
    { title: 'Host', panels: hostRow },
    { title: 'Taskwarden itself', panels: agentRow },
  ],
};
