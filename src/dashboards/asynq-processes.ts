import type { MetricName } from '../model/metrics.ts';
import { ASYNQ_TASK, asynqGauge, asynqGraph, asynqRate, WORKER, WORKER_LEGEND } from './asynq-queries.ts';
import type { PanelSpec, TargetSpec } from './spec.ts';

const NO_CGROUP = 'the worker is in no control group that can be read';
const NO_LIMIT = 'no control group of the worker has a memory limit';
const SAME_NETWORK = 'the worker has the network of the watcher';
const NO_GROWTH = 'absent until it can be told which type the memory grows with';

const gauge = (name: MetricName, what = '', mayBeEmpty?: string): TargetSpec => ({
  ...asynqGauge(name, WORKER, `${WORKER_LEGEND} ${what}`.trim()),
  ...(mayBeEmpty !== undefined && { mayBeEmpty }),
});
const flow = (name: MetricName, label: string, mayBeEmpty?: string): TargetSpec => ({
  ...asynqRate(name, [...WORKER, label], `${WORKER_LEGEND} {{${label}}}`),
  ...(mayBeEmpty !== undefined && { mayBeEmpty }),
});
const GROWTH = [...ASYNQ_TASK, ...WORKER];
const GROWTH_LEGEND = `${WORKER_LEGEND} {{task_name}}`;

/** The Go processes, where the watcher can see their /proc. */
export const asynqProcesses: readonly PanelSpec[] = [
  asynqGraph('CPU of workers', 's', 'CPU seconds per second of each worker process, user and system.', [
    flow('queue.worker.cpu.time', 'cpu_mode'),
  ]),
  asynqGraph(
    'Memory of workers',
    'bytes',
    'Resident memory of each worker process, that of its control group without droppable cache, and the limit.',
    [
      gauge('queue.worker.memory.usage'),
      gauge('queue.worker.memory.container', 'control group', NO_CGROUP),
      gauge('queue.worker.memory.limit', 'limit', NO_LIMIT),
    ],
  ),
  asynqGraph(
    'Memory growth by type',
    'Bps',
    'Estimate of the memory that a process gains for each second that a task of the type is in flight, and its lower bound.',
    [
      { ...asynqGauge('task.memory.growth', GROWTH, GROWTH_LEGEND), mayBeEmpty: NO_GROWTH },
      {
        ...asynqGauge('task.memory.growth.lower', GROWTH, `at least ${GROWTH_LEGEND}`),
        mayBeEmpty: NO_GROWTH,
      },
    ],
    { signed: true },
  ),
  asynqGraph(
    'Descriptors of workers',
    'short',
    'Open file descriptors of each worker process, and the limit.',
    [gauge('queue.worker.file_descriptor.count'), gauge('queue.worker.file_descriptor.limit', 'limit')],
  ),
  asynqGraph(
    'Threads of workers',
    'short',
    'Threads of the system, not goroutines: many of them wait in system calls or in C.',
    [gauge('queue.worker.thread.count')],
  ),
  asynqGraph(
    'Bytes read and written',
    'Bps',
    'By system calls: files, pipes and sockets together; network is that of the container of the process.',
    [
      flow('queue.worker.io', 'queue_worker_io_direction'),
      flow('queue.worker.network.io', 'network_io_direction', SAME_NETWORK),
    ],
  ),
];
