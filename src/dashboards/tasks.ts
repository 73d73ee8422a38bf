import { dependencies, leaks } from './harm.ts';
import { firing, increase, maxBy, quantile, rate, series, sumBy, TASK, TASK_LEGEND } from './queries.ts';
import type { DashboardSpec, PanelSpec } from './spec.ts';

const FIRST_ATTEMPT = ['task_retry="false"'];

/** Both outcomes start at 0 when a task is first seen, so both sides of the division have the same tasks. */
const failureRatio = `${sumBy(TASK, rate('task.runs', ['task_outcome="failure"']))} / ${sumBy(TASK, rate('task.runs'))}`;
/** Runs in flight count as runs, since their requests are counted already. */
const requestsPerRun =
  `${sumBy(TASK, increase('task.network.requests'))} / ` +
  `(${sumBy(TASK, increase('task.runs'))} + ${sumBy(TASK, series('task.active'))})`;
const cpuShare = `${sumBy(TASK, rate('task.cpu.time'))} / on () group_left () ${sumBy([], rate('process.cpu.time'))}`;

const overview: PanelSpec = {
  title: 'Which task is eating the worker',
  description:
    'One line per task, over the last rate interval. CPU share is of all CPU time of the selected processes; memory is the ' +
    'estimate of what stays behind after each run, empty until it can be told.',
  kind: 'table',
  unit: 'short',
  width: 24,
  targets: [
    { expr: sumBy(TASK, rate('task.runs')), legend: 'Runs/s', unit: 'ops' },
    { expr: failureRatio, legend: 'Failures', unit: 'percentunit' },
    { expr: quantile(0.95, 'messaging.process.duration', TASK), legend: 'p95 duration', unit: 's' },
    { expr: cpuShare, legend: 'CPU share', unit: 'percentunit' },
    { expr: quantile(0.99, 'task.event_loop.block.duration', TASK), legend: 'p99 block', unit: 's' },
    { expr: requestsPerRun, legend: 'Requests/run', unit: 'short' },
    {
      expr: maxBy(TASK, series('task.memory.retained')),
      legend: 'Memory/run',
      unit: 'bytes',
      mayBeEmpty: 'absent until the heap of enough runs has been seen',
    },
    { expr: sumBy(TASK, series('task.active')), legend: 'Active', unit: 'short' },
  ],
};

export const tasks: DashboardSpec = {
  file: 'tasks',
  uid: 'taskwarden-tasks',
  title: 'Taskwarden / Tasks',
  description: 'Which task of a job worker is slow, failing, blocking, leaking or flooding the network.',
  variables: ['queue', 'task'],
  rows: [
    {
      title: 'Overview',
      panels: [
        {
          title: 'Alerts firing',
          description: 'Alerts that fire now, with the task they name.',
          kind: 'table',
          unit: 'short',
          width: 24,
          targets: [
            { expr: firing('queue', 'task'), legend: 'Firing', unit: 'hidden', mayBeEmpty: 'no alert fires' },
          ],
        },
        overview,
      ],
    },
    {
      title: 'Runs',
      panels: [
        {
          title: 'Runs',
          description: 'Finished handler runs per second.',
          kind: 'timeseries',
          unit: 'ops',
          targets: [{ expr: sumBy(TASK, rate('task.runs')), legend: TASK_LEGEND }],
        },
        {
          title: 'Failure ratio',
          description: 'Failed runs over all runs.',
          kind: 'timeseries',
          unit: 'percentunit',
          max: 1,
          targets: [{ expr: failureRatio, legend: TASK_LEGEND }],
        },
        {
          title: 'Run duration',
          description: 'Time from the call of the handler to its settled result, median and 95th percentile.',
          kind: 'timeseries',
          unit: 's',
          targets: [0.5, 0.95].map((q) => ({
            expr: quantile(q, 'messaging.process.duration', TASK),
            legend: `p${q * 100} ${TASK_LEGEND}`,
          })),
        },
        {
          title: 'Wait, 90th percentile',
          description: 'Time from ready to picked up, first attempts only.',
          kind: 'timeseries',
          unit: 's',
          targets: [{ expr: quantile(0.9, 'task.wait.duration', TASK, FIRST_ATTEMPT), legend: TASK_LEGEND }],
        },
        {
          title: 'Runs in flight',
          description: 'Handler runs that have started and not settled.',
          kind: 'timeseries',
          unit: 'short',
          targets: [{ expr: sumBy(TASK, series('task.active')), legend: TASK_LEGEND }],
        },
        {
          title: 'Oldest run in flight',
          description: 'Age of the oldest unsettled run: a line that only climbs is a stuck run.',
          kind: 'timeseries',
          unit: 's',
          targets: [{ expr: maxBy(TASK, series('task.active.oldest')), legend: TASK_LEGEND }],
        },
      ],
    },
    {
      title: 'CPU and event loop',
      panels: [
        {
          title: 'CPU',
          description:
            'CPU seconds per second that each task takes from the main thread, and what belongs to none (exact metering only).',
          kind: 'timeseries',
          unit: 's',
          stacked: true,
          targets: [
            { expr: sumBy(TASK, rate('task.cpu.time')), legend: TASK_LEGEND },
            {
              expr: sumBy(['kind'], rate('taskwarden.worker.cpu.unattributed')),
              legend: 'unattributed: {{kind}}',
              mayBeEmpty: 'unknown where CPU is not metered',
            },
          ],
        },
        {
          title: 'Share of CPU',
          description:
            'CPU time of each task over all CPU time of the selected processes, every thread counted.',
          kind: 'timeseries',
          unit: 'percentunit',
          stacked: true,
          max: 1,
          targets: [{ expr: cpuShare, legend: TASK_LEGEND }],
        },
        {
          title: 'Event loop blocked now',
          description:
            'How long the event loop has been blocked, by the task that holds it. Written while it is still blocked.',
          kind: 'timeseries',
          unit: 's',
          targets: [
            {
              expr: maxBy([...TASK, 'task_suspicion'], series('task.event_loop.blocked')),
              legend: `${TASK_LEGEND} ({{task_suspicion}})`,
              mayBeEmpty: 'no task has blocked the loop yet',
            },
          ],
        },
        {
          title: 'Longest block of a run',
          description:
            'Longest time a run kept the event loop to itself: 99th percentile, and the bound of the highest bucket in use.',
          kind: 'timeseries',
          unit: 's',
          width: 24,
          targets: [
            {
              expr: quantile(0.99, 'task.event_loop.block.duration', TASK),
              legend: `p99 ${TASK_LEGEND}`,
            },
            { expr: quantile(1, 'task.event_loop.block.duration', TASK), legend: `max ${TASK_LEGEND}` },
          ],
        },
      ],
    },
    {
      title: 'Network, payload, memory',
      panels: [
        {
          title: 'Requests per run',
          description: 'HTTP requests that handler runs started, per run, those in flight included.',
          kind: 'timeseries',
          unit: 'short',
          targets: [{ expr: requestsPerRun, legend: TASK_LEGEND }],
        },
        {
          title: 'Network bytes',
          description: 'Bytes on the wire of those requests, by direction.',
          kind: 'timeseries',
          unit: 'Bps',
          targets: [
            {
              expr: sumBy([...TASK, 'network_io_direction'], rate('task.network.io')),
              legend: `${TASK_LEGEND} {{network_io_direction}}`,
            },
          ],
        },
        {
          title: 'Payload size',
          description: 'Size of the job payload as the queue stores it, median and 95th percentile.',
          kind: 'timeseries',
          unit: 'bytes',
          targets: [0.5, 0.95].map((q) => ({
            expr: quantile(q, 'task.payload.size', TASK),
            legend: `p${q * 100} ${TASK_LEGEND}`,
          })),
        },
        {
          title: 'Memory retained per run',
          description:
            'Estimate of the heap that each run leaves behind, and its lower bound. A lower bound of 0 or less means: not established.',
          kind: 'timeseries',
          unit: 'bytes',
          signed: true,
          width: 24,
          targets: [
            {
              expr: maxBy(TASK, series('task.memory.retained')),
              legend: TASK_LEGEND,
              mayBeEmpty: 'absent until the heap of enough runs has been seen',
            },
            {
              expr: maxBy(TASK, series('task.memory.retained.lower')),
              legend: `at least ${TASK_LEGEND}`,
              mayBeEmpty: 'absent until the heap of enough runs has been seen',
            },
          ],
        },
      ],
    },
    dependencies,
    leaks,
  ],
};
