import { firing, maxBy, QUEUE, QUEUE_LEGEND, quantile, rate, series, sumBy } from './queries.ts';
import type { DashboardSpec, PanelSpec } from './spec.ts';

const wait = (retry: 'true' | 'false'): PanelSpec['targets'] =>
  [0.5, 0.9, 0.99].map((q) => ({
    expr: quantile(q, 'task.wait.duration', QUEUE, [`task_retry="${retry}"`]),
    legend: `p${q * 100} ${QUEUE_LEGEND}`,
    ...(retry === 'true' && { mayBeEmpty: 'no attempt was repeated' }),
  }));

export const queues: DashboardSpec = {
  file: 'queues',
  uid: 'taskwarden-queues',
  title: 'Taskwarden / Queues',
  description:
    'How long jobs wait, how fast queues are worked off and what is stuck, as seen by the workers.',
  variables: ['queue', 'task'],
  rows: [
    {
      title: 'Overview',
      panels: [
        {
          title: 'Alerts firing',
          description: 'Alerts that fire now on these queues.',
          kind: 'table',
          unit: 'short',
          width: 24,
          targets: [
            { expr: firing('queue', 'task'), legend: 'Firing', unit: 'hidden', mayBeEmpty: 'no alert fires' },
          ],
        },
      ],
    },
    {
      title: 'In Redis',
      panels: [
        {
          title: 'Waiting',
          description: 'Jobs that could run now, as Redis has them, whoever works on the queue.',
          kind: 'timeseries',
          unit: 'short',
          targets: [
            { expr: maxBy(QUEUE, series('queue.depth', ['queue_state="ready"'])), legend: QUEUE_LEGEND },
          ],
        },
        {
          title: 'Oldest waiting',
          description: 'Age of the oldest job that is ready. Absent where the library keeps no time.',
          kind: 'timeseries',
          unit: 's',
          targets: [{ expr: maxBy(QUEUE, series('queue.ready.oldest')), legend: QUEUE_LEGEND }],
        },
        {
          title: 'Other states',
          description:
            'Jobs in flight, scheduled, to be tried again, failed for good, and blocked by others.',
          kind: 'timeseries',
          unit: 'short',
          targets: [
            {
              expr: maxBy(
                [...QUEUE, 'queue_state'],
                series('queue.depth', ['queue_state!~"ready|completed"']),
              ),
              legend: `${QUEUE_LEGEND} {{queue_state}}`,
            },
          ],
        },
        {
          title: 'Overdue, orphaned',
          description:
            'Seconds that the first scheduled job is overdue; jobs in flight that no worker holds.',
          kind: 'timeseries',
          unit: 'short',
          targets: [
            {
              expr: maxBy(QUEUE, series('queue.scheduled.overdue')),
              legend: `${QUEUE_LEGEND} overdue, s`,
            },
            { expr: maxBy(QUEUE, series('queue.active.orphaned')), legend: `${QUEUE_LEGEND} orphaned` },
          ],
        },
        {
          title: 'Workers',
          description: 'Workers of the queue, in all processes.',
          kind: 'timeseries',
          unit: 'short',
          targets: [{ expr: maxBy(QUEUE, series('queue.workers')), legend: QUEUE_LEGEND }],
        },
        {
          title: 'Polls',
          description: 'What the last poll of each queue came to. Absent: nobody watches it.',
          kind: 'timeseries',
          unit: 'short',
          targets: [
            {
              expr: maxBy([...QUEUE, 'queue_poll_outcome'], series('queue.poll.status')),
              legend: `${QUEUE_LEGEND} {{queue_poll_outcome}}`,
            },
          ],
        },
      ],
    },
    {
      title: 'Latency',
      panels: [
        {
          title: 'Wait',
          description: 'Time from ready to picked up, first attempts: median, 90th and 99th percentile.',
          kind: 'timeseries',
          unit: 's',
          width: 12,
          targets: wait('false'),
        },
        {
          title: 'Wait of retries',
          description: 'The same for later attempts, as far as the library tells when they became ready.',
          kind: 'timeseries',
          unit: 's',
          width: 12,
          targets: wait('true'),
        },
        {
          title: 'Run duration',
          description: 'Time from the call of the handler to its settled result, median and 95th percentile.',
          kind: 'timeseries',
          unit: 's',
          width: 24,
          targets: [0.5, 0.95].map((q) => ({
            expr: quantile(q, 'messaging.process.duration', QUEUE),
            legend: `p${q * 100} ${QUEUE_LEGEND}`,
          })),
        },
      ],
    },
    {
      title: 'Throughput',
      panels: [
        {
          title: 'Jobs delivered',
          description: 'Jobs handed to a handler per second, each attempt once.',
          kind: 'timeseries',
          unit: 'ops',
          targets: [{ expr: sumBy(QUEUE, rate('messaging.client.consumed.messages')), legend: QUEUE_LEGEND }],
        },
        {
          title: 'Runs by outcome',
          description: 'Finished runs per second, successes and failures.',
          kind: 'timeseries',
          unit: 'ops',
          targets: [
            {
              expr: sumBy([...QUEUE, 'task_outcome'], rate('task.runs')),
              legend: `${QUEUE_LEGEND} {{task_outcome}}`,
            },
          ],
        },
        {
          title: 'Failures by error',
          description: 'Failed runs per second by type of error.',
          kind: 'timeseries',
          unit: 'ops',
          targets: [
            {
              expr: sumBy(
                [...QUEUE, 'error_type'],
                rate('messaging.process.duration', ['error_type!=""'], 'count'),
              ),
              legend: `${QUEUE_LEGEND} {{error_type}}`,
              mayBeEmpty: 'no run failed',
            },
          ],
        },
        {
          title: 'Retries picked up',
          description: 'Runs per second of jobs that had failed before.',
          kind: 'timeseries',
          unit: 'ops',
          targets: [
            {
              expr: sumBy(QUEUE, rate('task.retries')),
              legend: QUEUE_LEGEND,
              mayBeEmpty: 'no attempt was repeated',
            },
          ],
        },
        {
          title: 'Runs in flight',
          description: 'Handler runs that have started and not settled.',
          kind: 'timeseries',
          unit: 'short',
          targets: [{ expr: sumBy(QUEUE, series('task.active')), legend: QUEUE_LEGEND }],
        },
        {
          title: 'Oldest run in flight',
          description: 'Age of the oldest unsettled run of the queue.',
          kind: 'timeseries',
          unit: 's',
          targets: [{ expr: maxBy(QUEUE, series('task.active.oldest')), legend: QUEUE_LEGEND }],
        },
      ],
    },
  ],
};
