import type { MetricName } from '../model/metrics.ts';
import { asynqProcesses } from './asynq-processes.ts';
import {
  ASYNQ_QUEUE,
  ASYNQ_QUEUE_LEGEND,
  ASYNQ_TASK,
  ASYNQ_TASK_LEGEND,
  asynqGauge,
  asynqGraph,
  asynqRate,
  WORKER,
  WORKER_LEGEND,
} from './asynq-queries.ts';
import { firing, maxBy, series } from './queries.ts';
import type { DashboardSpec, PanelSpec, TargetSpec } from './spec.ts';

const NOTHING_LOST = 'no worker process has died with tasks in its hands';
const FEW_GROUPS = 'no queue has ten groups';
const NO_SCHEDULER = 'no scheduler runs';

const perQueue = (name: MetricName, what = '', only: readonly string[] = []): TargetSpec =>
  asynqGauge(name, ASYNQ_QUEUE, `${ASYNQ_QUEUE_LEGEND} ${what}`.trim(), only);
const perTask = (name: MetricName, label?: string): TargetSpec =>
  asynqGauge(
    name,
    label === undefined ? ASYNQ_TASK : [...ASYNQ_TASK, label],
    label === undefined ? ASYNQ_TASK_LEGEND : `${ASYNQ_TASK_LEGEND} {{${label}}}`,
  );

const serving: PanelSpec = {
  title: 'How queues are served',
  description:
    'Servers of each queue, tasks that they may run at once, the share of these in use by any queue, the least weight that a server ' +
    'gives to the queue; strict is 1 where it waits for queues of greater weight, paused is 1 where nothing is taken from it.',
  kind: 'table',
  unit: 'short',
  width: 24,
  targets: [
    perQueueColumn('queue.workers', 'Servers'),
    perQueueColumn('queue.capacity', 'Capacity'),
    perQueueColumn('queue.saturation', 'In use', 'percentunit'),
    perQueueColumn('queue.weight', 'Weight'),
    perQueueColumn('queue.strict_priority', 'Strict'),
    perQueueColumn('queue.paused', 'Paused'),
  ],
};

function perQueueColumn(name: MetricName, title: string, unit?: string): TargetSpec {
  return { ...asynqGauge(name, ASYNQ_QUEUE, title), ...(unit !== undefined && { unit }) };
}

const servers: readonly PanelSpec[] = [
  serving,
  asynqGraph('Tasks in hands', 'short', 'Tasks that each worker process runs, and how many it may run.', [
    asynqGauge('queue.worker.active', WORKER, `${WORKER_LEGEND} runs`),
    asynqGauge('queue.worker.capacity', WORKER, `${WORKER_LEGEND} capacity`),
  ]),
  asynqGraph('Tasks in hands by type', 'short', 'What each worker process runs, by type of task.', [
    asynqGauge('queue.worker.tasks', [...WORKER, 'task_name'], `${WORKER_LEGEND} {{task_name}}`),
  ]),
  asynqGraph(
    'State of servers',
    'short',
    'active, stopped (takes no more tasks), new or closed; a line that ends is a process that is gone.',
    [
      asynqGauge(
        'queue.worker.status',
        [...WORKER, 'queue_worker_state'],
        `${WORKER_LEGEND} {{queue_worker_state}}`,
      ),
    ],
  ),
];

const waiting: readonly PanelSpec[] = [
  asynqGraph('Pending', 'short', 'Tasks that could run now.', [
    perQueue('queue.depth', '', ['queue_state="ready"']),
  ]),
  asynqGraph(
    'Oldest pending',
    's',
    'Age of the oldest pending task: how late the queue is. Absent where asynq keeps no time.',
    [perQueue('queue.ready.oldest')],
  ),
  asynqGraph('Overdue', 's', 'How long the first scheduled task or retry should have been pending already.', [
    perQueue('queue.scheduled.overdue'),
  ]),
  asynqGraph(
    'Processed and failed',
    'ops',
    'Attempts that ended per second; processed has the failed ones in it.',
    [
      asynqRate('queue.tasks.processed', ASYNQ_QUEUE, `${ASYNQ_QUEUE_LEGEND} processed`),
      asynqRate('queue.tasks.failed', ASYNQ_QUEUE, `${ASYNQ_QUEUE_LEGEND} failed`),
    ],
  ),
  asynqGraph('Scheduled and completed', 'short', 'Tasks for later, and those kept after their end.', [
    asynqGauge('queue.depth', [...ASYNQ_QUEUE, 'queue_state'], `${ASYNQ_QUEUE_LEGEND} {{queue_state}}`, [
      'queue_state!~"ready|active|retry|dead|aggregating"',
    ]),
  ]),
  asynqGraph(
    'Groups',
    'short',
    'Groups that wait to be put together into one task, and the tasks in them: estimated from a sample where there are ten groups or more.',
    [
      perQueue('queue.groups', 'groups'),
      perQueue('queue.depth', 'tasks', ['queue_state="aggregating"']),
      { ...perQueue('queue.groups.tasks', 'tasks, estimated'), mayBeEmpty: FEW_GROUPS },
    ],
  ),
];

const flights: readonly PanelSpec[] = [
  asynqGraph('Tasks in flight', 'short', 'Tasks that workers have in their hands, by queue and type.', [
    perTask('task.active'),
  ]),
  asynqGraph(
    'Oldest in flight',
    's',
    'Run time so far of the oldest task of each type: a line that only climbs is a stuck task.',
    [perTask('task.active.oldest')],
  ),
  asynqGraph(
    'Type not known',
    'short',
    'Tasks in flight that are not read: their payload is larger than 64 KiB, or there are too many of them.',
    [asynqGauge('queue.worker.unread', WORKER, WORKER_LEGEND)],
  ),
  asynqGraph(
    'Near or over the deadline',
    'short',
    'Tasks in flight that have used four fifths of their time, or more than all of it.',
    [perTask('task.active.deadline', 'task_deadline_state')],
    { width: 12 },
  ),
  asynqGraph(
    'Given up at the deadline',
    'short',
    'Tasks that asynq has taken off the list at their deadline, per rate interval. Their handler may run on, unseen.',
    [asynqRate('task.deadline.exceeded', ASYNQ_TASK, ASYNQ_TASK_LEGEND, 'increase')],
    { width: 12 },
  ),
];

const lost: readonly PanelSpec[] = [
  asynqGraph(
    'Orphaned leases',
    'short',
    'Tasks in flight whose lease has lapsed: no server extends it.',
    [perQueue('queue.active.orphaned')],
    { width: 12 },
  ),
  asynqGraph(
    'Lost tasks',
    'short',
    'Tasks that a worker process had in its hands when it died, until asynq gives them back.',
    [
      {
        ...asynqGauge('task.lost', [...ASYNQ_TASK, ...WORKER], `${ASYNQ_TASK_LEGEND} of ${WORKER_LEGEND}`),
        mayBeEmpty: NOTHING_LOST,
      },
    ],
    { width: 12 },
  ),
];

const failures: readonly PanelSpec[] = [
  asynqGraph('Retries and archived', 'short', 'Tasks that wait for a retry, and those archived (dead).', [
    asynqGauge('queue.depth', [...ASYNQ_QUEUE, 'queue_state'], `${ASYNQ_QUEUE_LEGEND} {{queue_state}}`, [
      'queue_state=~"retry|dead"',
    ]),
  ]),
  asynqGraph(
    'Types among the newest failures',
    'short',
    'Of the newest 20 retries and the newest 20 archived tasks of a queue: how many are of which type. A sample.',
    [perTask('task.failures.sampled', 'queue_state')],
  ),
  asynqGraph(
    'Different errors among them',
    'short',
    'Error texts in that sample that differ, numbers aside: 1 means that one thing is broken.',
    [
      asynqGauge(
        'queue.failures.errors',
        [...ASYNQ_QUEUE, 'queue_state'],
        `${ASYNQ_QUEUE_LEGEND} {{queue_state}}`,
      ),
    ],
  ),
];

const SCHEDULE = ['redis_instance', 'task_name'];
const SCHEDULE_LEGEND = '{{task_name}} @ {{redis_instance}}';
const orNone = (target: TargetSpec): TargetSpec => ({ ...target, mayBeEmpty: NO_SCHEDULER });

const schedulers: readonly PanelSpec[] = [
  asynqGraph('Last enqueued', 's', 'Time since each periodic task was last enqueued.', [
    orNone(asynqGauge('queue.schedule.last', SCHEDULE, SCHEDULE_LEGEND)),
  ]),
  asynqGraph('Overdue periodic tasks', 's', 'How long a periodic task should have been enqueued already.', [
    orNone(asynqGauge('queue.schedule.overdue', SCHEDULE, SCHEDULE_LEGEND)),
  ]),
  asynqGraph('Schedulers', 'short', 'Schedulers that show signs of life.', [
    asynqGauge('queue.schedulers', ['redis_instance'], '{{redis_instance}}'),
  ]),
];

const watching: readonly PanelSpec[] = [
  asynqGraph(
    'Polls of queues',
    'short',
    'What the last poll of each queue came to. Absent: nobody watches it.',
    [
      asynqGauge(
        'queue.poll.status',
        [...ASYNQ_QUEUE, 'queue_poll_outcome'],
        `${ASYNQ_QUEUE_LEGEND} {{queue_poll_outcome}}`,
      ),
    ],
  ),
  asynqGraph(
    'Polls of Redis',
    'short',
    'What the last poll of each Redis came to, as each watcher tells it.',
    [
      {
        expr: maxBy(['instance', 'redis_instance', 'queue_poll_outcome'], series('taskwarden.redis.status')),
        legend: '{{redis_instance}} {{queue_poll_outcome}} {{instance}}',
      },
    ],
  ),
  asynqGraph('Duration and interval', 's', 'How long a poll of all queues takes, and the time between two.', [
    {
      expr: maxBy(['redis_instance'], series('taskwarden.redis.poll.duration')),
      legend: '{{redis_instance}} duration',
    },
    {
      expr: maxBy(['redis_instance'], series('taskwarden.redis.poll.interval')),
      legend: '{{redis_instance}} interval',
    },
  ]),
];

export const asynq: DashboardSpec = {
  file: 'asynq',
  uid: 'taskwarden-asynq',
  title: 'Taskwarden / Asynq',
  description:
    'Workers of asynq (Go), as `taskwarden watch` sees them: which task is stuck, lost or failing, and which process grows.',
  variables: ['queue', 'task'],
  watched: 'asynq',
  rows: [
    {
      title: 'Overview',
      panels: [
        {
          title: 'Alerts firing',
          description: 'Alerts that fire now about these queues, tasks and workers.',
          kind: 'table',
          unit: 'short',
          width: 24,
          targets: [
            { expr: firing('queue', 'task'), legend: 'Firing', unit: 'hidden', mayBeEmpty: 'no alert fires' },
          ],
        },
      ],
    },
    { title: 'Servers and capacity', panels: servers },
    { title: 'Queues', panels: waiting },
    { title: 'Tasks in flight', panels: flights },
    { title: 'Orphaned and lost', panels: lost },
    { title: 'Retries and archived', panels: failures },
    { title: 'Schedulers', panels: schedulers },
    { title: 'Worker processes', panels: asynqProcesses },
    { title: 'The watcher', panels: watching },
  ],
};
