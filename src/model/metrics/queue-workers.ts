import type { MetricDefinition } from './definition.ts';

/** Worker processes of other languages, as their library and the operating system tell of them. */
const WORKER = ['messaging.system', 'redis.instance', 'queue.prefix', 'host.name', 'process.pid'] as const;
const QUEUE = ['messaging.system', 'messaging.destination.name', 'redis.instance', 'queue.prefix'] as const;
const INSTANCE = ['messaging.system', 'redis.instance', 'queue.prefix'] as const;
const optional = ['queue.prefix'] as const;
const BY_BEAT = 'As the servers write it, every 5 s.';
const OF_PROC = 'From /proc, of processes that can be found there; absent for others.';

export const QUEUE_WORKER_METRICS = {
  'queue.worker.capacity': {
    kind: 'updowncounter',
    unit: '{task}',
    source: 'taskwarden',
    attributes: WORKER,
    optional,
    description: 'Tasks that a worker process may run at once.',
    quality: BY_BEAT,
  },
  'queue.worker.active': {
    kind: 'updowncounter',
    unit: '{task}',
    source: 'taskwarden',
    attributes: WORKER,
    optional,
    description: 'Tasks that a worker process has in its hands.',
    quality: BY_BEAT,
  },
  'queue.worker.tasks': {
    kind: 'updowncounter',
    unit: '{task}',
    source: 'taskwarden',
    attributes: [...QUEUE, 'task.name', 'host.name', 'process.pid'],
    optional,
    description: 'Tasks of a type that a worker process has in its hands. Absent where it has none.',
    quality: BY_BEAT,
  },
  'queue.worker.unread': {
    kind: 'updowncounter',
    unit: '{task}',
    source: 'taskwarden',
    attributes: WORKER,
    optional,
    description:
      'Tasks in the hands of a worker process whose type is not known: their description, which contains the payload, is larger ' +
      'than 64 KiB or cannot be read, or there are too many of them.',
    quality: 'Exact.',
  },
  'queue.worker.status': {
    kind: 'gauge',
    unit: '{status}',
    source: 'taskwarden',
    attributes: [...WORKER, 'queue.worker.state'],
    optional,
    description: '1 for the state of a worker process: new, active, stopped (takes no more tasks) or closed.',
    quality: BY_BEAT,
  },
  'queue.worker.memory.usage': {
    kind: 'updowncounter',
    unit: 'By',
    source: 'taskwarden',
    attributes: WORKER,
    optional,
    description: 'Resident memory of a worker process.',
    quality: OF_PROC,
  },
  'queue.worker.memory.container': {
    kind: 'updowncounter',
    unit: 'By',
    source: 'taskwarden',
    attributes: WORKER,
    optional,
    description:
      'Memory of the control group that a worker process is in, page cache that could be let go left out.',
    quality: `${OF_PROC} Other processes of the group count.`,
  },
  'queue.worker.memory.limit': {
    kind: 'updowncounter',
    unit: 'By',
    source: 'taskwarden',
    attributes: WORKER,
    optional,
    description: 'The least memory limit of the control groups that a worker process is in.',
    quality: `${OF_PROC} Absent without a limit.`,
  },
  'queue.worker.cpu.time': {
    kind: 'counter',
    startUnknown: true,
    unit: 's',
    source: 'taskwarden',
    attributes: [...WORKER, 'cpu.mode'],
    optional,
    description: 'CPU time of a worker process since it began.',
    quality: OF_PROC,
  },
  'queue.worker.thread.count': {
    kind: 'updowncounter',
    unit: '{thread}',
    source: 'taskwarden',
    attributes: WORKER,
    optional,
    description:
      'Threads of a worker process. Of a Go process they are threads of the system, not goroutines.',
    quality: OF_PROC,
  },
  'queue.worker.file_descriptor.count': {
    kind: 'updowncounter',
    unit: '{file_descriptor}',
    source: 'taskwarden',
    attributes: WORKER,
    optional,
    description: 'Open file descriptors of a worker process.',
    quality: `${OF_PROC} Needs the rights of its user.`,
  },
  'queue.worker.file_descriptor.limit': {
    kind: 'updowncounter',
    unit: '{file_descriptor}',
    source: 'taskwarden',
    attributes: WORKER,
    optional,
    description: 'File descriptors that a worker process may have open.',
    quality: OF_PROC,
  },
  'queue.worker.io': {
    kind: 'counter',
    startUnknown: true,
    unit: 'By',
    source: 'taskwarden',
    attributes: [...WORKER, 'queue.worker.io.direction'],
    optional,
    description:
      'Bytes that a worker process has read and written by system calls since it began: files, pipes and sockets together ' +
      '(queue.worker.io.direction is read or write).',
    quality: `${OF_PROC} Needs the rights of its user. What goes by sendfile, splice or mmap is left out.`,
  },
  'queue.worker.network.io': {
    kind: 'counter',
    startUnknown: true,
    unit: 'By',
    source: 'taskwarden',
    attributes: [...WORKER, 'network.io.direction'],
    optional,
    description:
      'Bytes of the network namespace of a worker process, loopback left out: those of its container or pod.',
    quality: `${OF_PROC} Absent where the process has the network of the watcher, whose figures are not its own.`,
  },
  'task.lost': {
    kind: 'updowncounter',
    unit: '{task}',
    source: 'taskwarden',
    attributes: [...QUEUE, 'task.name', 'host.name', 'process.pid'],
    optional,
    description:
      'Tasks in flight by their state whose worker process shows no sign of life: it crashed with them in its hands.',
    quality:
      'Those that were seen in its hands, 10 s to a poll after its last sign of life. Absent where none is.',
  },
  'task.active.deadline': {
    kind: 'gauge',
    unit: '{task}',
    source: 'taskwarden',
    attributes: [...QUEUE, 'task.name', 'task.deadline.state'],
    optional,
    description:
      'Tasks in flight that are near their deadline (four fifths of their time have passed) or over it.',
    quality: BY_BEAT,
  },
  'task.deadline.exceeded': {
    kind: 'counter',
    unit: '{task}',
    source: 'taskwarden',
    attributes: [...QUEUE, 'task.name'],
    optional,
    description:
      'Tasks that were given up at their deadline. A handler that does not look at its context runs on then, unseen.',
    quality:
      'Of tasks with at least 30 s, seen in flight. One that ended by itself in the last seconds before its deadline counts too.',
  },
  'task.failures.sampled': {
    kind: 'gauge',
    unit: '{task}',
    source: 'taskwarden',
    attributes: [...QUEUE, 'queue.state', 'task.name'],
    optional,
    description: 'Tasks of a type among the newest 20 that wait for a retry, or are dead.',
    quality:
      'A sample, taken when there are more of them than before, one to three tasks a poll. Of retries, those that are due last.',
  },
  'queue.failures.errors': {
    kind: 'gauge',
    unit: '{error}',
    source: 'taskwarden',
    attributes: [...QUEUE, 'queue.state'],
    optional,
    description: 'Different error texts in that sample, numbers aside: 1 means that one thing is broken.',
    quality: 'A sample.',
  },
  'queue.groups': {
    kind: 'updowncounter',
    unit: '{group}',
    source: 'taskwarden',
    attributes: QUEUE,
    optional,
    description: 'Groups of tasks that wait to be put together into one.',
    quality:
      "From the queue's own set in Redis. The tasks in them are `queue.depth` aggregating where there are fewer than ten, else " +
      '`queue.groups.tasks`.',
  },
  'queue.groups.tasks': {
    kind: 'updowncounter',
    unit: '{task}',
    source: 'taskwarden',
    attributes: QUEUE,
    optional,
    description: 'Tasks that wait in groups to be put together, where there are too many groups to count.',
    quality:
      'An estimate: the number of groups times the mean size of the last 50 of them that were looked at, ten at random at a time. The ' +
      'less alike the groups are, the worse it is. Absent where all are counted.',
  },
  'queue.saturation': {
    kind: 'gauge',
    unit: '1',
    source: 'taskwarden',
    attributes: QUEUE,
    optional,
    description:
      'Share of the workers that serve a queue which are busy, with this queue or another: 1 means that none is free.',
    quality: BY_BEAT,
  },
  'queue.weight': {
    kind: 'gauge',
    unit: '{weight}',
    source: 'taskwarden',
    attributes: QUEUE,
    optional,
    description: 'The least weight that a server which serves the queue gives to it.',
    quality: BY_BEAT,
  },
  'queue.strict_priority': {
    kind: 'gauge',
    unit: '{status}',
    source: 'taskwarden',
    attributes: QUEUE,
    optional,
    description: '1 where a server takes tasks of this queue only while queues of greater weight are empty.',
    quality: BY_BEAT,
  },
  'queue.schedulers': {
    kind: 'updowncounter',
    unit: '{scheduler}',
    source: 'taskwarden',
    attributes: INSTANCE,
    optional,
    description: 'Schedulers of periodic tasks that show signs of life.',
    quality: 'As they write it; read in every third poll.',
  },
  'queue.schedule.last': {
    kind: 'gauge',
    unit: 's',
    source: 'taskwarden',
    attributes: [...INSTANCE, 'task.name'],
    optional,
    description:
      'Time since a periodic task was last enqueued; of the longest, where a type has several schedules.',
    quality: 'As the schedulers write it; read in every third poll. Their clocks count.',
  },
  'queue.schedule.overdue': {
    kind: 'gauge',
    unit: 's',
    source: 'taskwarden',
    attributes: [...INSTANCE, 'task.name'],
    optional,
    description: 'How long a periodic task should have been enqueued already.',
    quality: 'As the schedulers write it; read in every third poll. Their clocks count.',
  },
  'task.memory.growth': {
    kind: 'gauge',
    unit: 'By/s',
    source: 'taskwarden',
    attributes: [...QUEUE, 'task.name', 'host.name', 'process.pid'],
    optional,
    description:
      'Resident memory that a worker process gains for each second that a task of this type is in flight; absent until it can be told.',
    quality:
      'Estimate: regression of resident memory on the time in flight of each type; the lower bound is task.memory.growth.lower.',
  },
  'task.memory.growth.lower': {
    kind: 'gauge',
    unit: 'By/s',
    source: 'taskwarden',
    attributes: [...QUEUE, 'task.name', 'host.name', 'process.pid'],
    optional,
    description: 'Lower bound (4 standard errors) of task.memory.growth.',
    quality: 'Estimate.',
  },
} as const satisfies Record<string, MetricDefinition>;
