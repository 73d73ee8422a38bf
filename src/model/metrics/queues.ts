import type { MetricDefinition } from './definition.ts';

const INSTANCE = ['redis.instance'] as const;
const QUEUE = ['messaging.system', 'messaging.destination.name', 'redis.instance', 'queue.prefix'] as const;
/** Only where it is not the one that the library has by default. */
const optional = ['queue.prefix'] as const;
/** Without a queue where the library counts for all queues together. */
const OF_ALL = [...optional, 'messaging.destination.name'] as const;
const AS_STORED = "From the queue's own counters in Redis, at the moment of the poll.";
/** What readers ask for in turns, see their classes. */
const IN_TURNS =
  'BullMQ and Bull: read at every fourth poll, at every eighth where BullMQ jobs wait with a priority and others without.';

/** What waits in a queue, as the watcher reads it. */
export const QUEUE_METRICS = {
  'queue.depth': {
    kind: 'updowncounter',
    unit: '{task}',
    source: 'taskwarden',
    attributes: [...QUEUE, 'queue.state'],
    optional: OF_ALL,
    description:
      'Tasks of a queue by state: ready (could run now, also while the queue is paused), active, scheduled (for later; where a library ' +
      'does not tell them apart, retries too), retry (failed, waiting for the next attempt), dead (failed for good), completed, ' +
      'blocked (waiting for other tasks), aggregating (in groups, waiting to be put together). States that a library does not have are absent.',
    quality: AS_STORED,
  },
  'queue.ready.oldest': {
    kind: 'gauge',
    unit: 's',
    source: 'taskwarden',
    attributes: QUEUE,
    optional,
    description: 'Age of the oldest task that is ready: how late the queue is. 0 when none is ready.',
    quality:
      'From the ends of the list, where the oldest task is unless tasks overtake each other; absent where the store keeps no time. ' +
      "Producers' clocks count.",
  },
  'queue.priority.oldest': {
    kind: 'gauge',
    unit: 's',
    source: 'taskwarden',
    attributes: [...QUEUE, 'queue.priority'],
    optional,
    description:
      'Age of the oldest ready task of one priority class: one that starves is old while others are not.',
    quality:
      'Exact for classes looked at in this poll; many classes are looked at in turn. 16 classes a queue.',
  },
  'queue.scheduled.overdue': {
    kind: 'gauge',
    unit: 's',
    source: 'taskwarden',
    attributes: QUEUE,
    optional: OF_ALL,
    description:
      'How long the task that is due first has been due without being moved to the ready ones; 0 when none is overdue. ' +
      'No worker or scheduler moves them when it grows.',
    quality: 'Exact; clocks of producers and Redis count.',
  },
  'queue.active.oldest': {
    kind: 'gauge',
    unit: 's',
    source: 'taskwarden',
    attributes: QUEUE,
    optional,
    description: 'Time since the task longest in flight was picked up, by any worker; 0 when none is.',
    quality: 'From the end of the list of those in flight; absent where the store keeps no time.',
  },
  'queue.active.orphaned': {
    kind: 'gauge',
    unit: '{task}',
    source: 'taskwarden',
    attributes: QUEUE,
    optional,
    description: 'Tasks in flight whose worker has let its lock or lease lapse: it is gone, or stalled.',
    quality: 'A lower bound: only the tasks longest in flight are looked at (16 at most).',
  },
  'queue.tasks.enqueued': {
    kind: 'counter',
    startUnknown: true,
    unit: '{task}',
    source: 'taskwarden',
    attributes: QUEUE,
    optional,
    description: 'Tasks added to the queue since it exists.',
    quality: `From the queue's own counter in Redis. ${IN_TURNS} Absent where there is none.`,
  },
  'queue.tasks.processed': {
    kind: 'counter',
    startUnknown: true,
    unit: '{task}',
    source: 'taskwarden',
    attributes: QUEUE,
    optional: OF_ALL,
    description: 'Attempts that ended since the queue exists, failures included.',
    quality: `${AS_STORED} Absent where there is none.`,
  },
  'queue.tasks.failed': {
    kind: 'counter',
    startUnknown: true,
    unit: '{task}',
    source: 'taskwarden',
    attributes: QUEUE,
    optional: OF_ALL,
    description: 'Attempts that failed since the queue exists.',
    quality: `${AS_STORED} Absent where there is none.`,
  },
  'queue.paused': {
    kind: 'gauge',
    unit: '{status}',
    source: 'taskwarden',
    attributes: QUEUE,
    optional,
    description: '1 while the queue is paused, else 0.',
    quality: AS_STORED,
  },
  'queue.workers': {
    kind: 'updowncounter',
    unit: '{worker}',
    source: 'taskwarden',
    attributes: QUEUE,
    optional,
    description: 'Workers of the queue that are connected or have shown signs of life.',
    quality: 'As the library tells; absent where it does not, or where Redis may not be asked.',
  },
  'queue.capacity': {
    kind: 'updowncounter',
    unit: '{task}',
    source: 'taskwarden',
    attributes: QUEUE,
    optional,
    description: 'Tasks of the queue that may run at once, all workers together.',
    quality: 'As the library tells; absent where it does not.',
  },
  'queue.poll.status': {
    kind: 'gauge',
    unit: '{status}',
    source: 'taskwarden',
    attributes: [...QUEUE, 'queue.poll.outcome'],
    optional,
    description:
      '1 for what the last poll of the queue came to: ok, gone (there is no such queue), wrong_type (a key is none of its library), ' +
      'unreachable, timeout, loading, noauth, noperm, cluster (MOVED, CLUSTERDOWN, …), error. What a failed poll did not learn is absent.',
    quality: 'Exact.',
  },
  'taskwarden.redis.status': {
    kind: 'gauge',
    unit: '{status}',
    source: 'taskwarden',
    attributes: [...INSTANCE, 'queue.poll.outcome'],
    description:
      '1 for what the last poll of a Redis came to: ok, slow (polls are more than a minute apart, as each takes long), standby (another agent polls), no_lease (it takes no writes, so that nobody can ' +
      'be agreed upon to poll), unreachable, timeout, loading, noauth, noperm, maxclients, cluster, error.',
    quality: 'Exact.',
  },
  'taskwarden.redis.leader': {
    kind: 'gauge',
    unit: '{agent}',
    source: 'taskwarden',
    attributes: INSTANCE,
    description: '1 while this agent polls the queues of a Redis, 0 while another does.',
    quality: 'Exact.',
  },
  'taskwarden.redis.poll.duration': {
    kind: 'gauge',
    unit: 's',
    source: 'taskwarden',
    attributes: INSTANCE,
    description: 'How long the last poll of all queues of a Redis took.',
    quality: 'Exact.',
  },
  'taskwarden.redis.poll.interval': {
    kind: 'gauge',
    unit: 's',
    source: 'taskwarden',
    attributes: INSTANCE,
    description: 'Time between two polls, which grows while Redis is slow or busy.',
    quality: 'Exact.',
  },
  'taskwarden.redis.commands': {
    kind: 'counter',
    unit: '{command}',
    source: 'taskwarden',
    attributes: INSTANCE,
    description: 'Commands sent to a Redis in order to watch its queues.',
    quality: 'Exact.',
  },
} as const satisfies Record<string, MetricDefinition>;
