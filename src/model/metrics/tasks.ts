import type { MetricDefinition } from './definition.ts';

const TASK = ['messaging.system', 'messaging.destination.name', 'task.name'] as const;
/** On tasks that a watcher sees in Redis, in whichever process they run. */
const REDIS = ['redis.instance', 'queue.prefix'] as const;
const WATCHED = [...TASK, ...REDIS] as const;
const SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300] as const;
const BLOCKS = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10] as const;
const BYTES = [64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216] as const;

/** One handler run. */
export const TASK_METRICS = {
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
    description:
      'Jobs delivered to a handler, each attempt once; counted when the run ends. Those in flight are in task.active.',
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
  'task.retries': {
    kind: 'counter',
    unit: '{run}',
    source: 'taskwarden',
    attributes: TASK,
    description:
      'Finished handler runs of jobs of which an attempt had ended before: mostly failed ones that are tried again, and jobs that ' +
      'somebody has put back into the queue. Runs after a stall, or after the handler has moved the job, are none. Starts at 0 when the task ' +
      'is first seen.',
    quality: 'Exact with BullMQ, in sandboxed processors as well; tasks made by task() have none.',
  },
  'task.active': {
    kind: 'updowncounter',
    unit: '{run}',
    source: 'taskwarden',
    attributes: WATCHED,
    optional: REDIS,
    description: 'Handler runs in flight.',
    quality: 'Exact at the moment of reading; of asynq, as its servers write it every 5 s.',
  },
  'task.active.oldest': {
    kind: 'gauge',
    unit: 's',
    source: 'taskwarden',
    attributes: WATCHED,
    optional: REDIS,
    description: 'Age of the oldest handler run in flight; 0 when none is.',
    quality: 'Exact at the moment of reading; of asynq, as its servers write it every 5 s.',
  },
  'task.duration.learnt.p99': {
    kind: 'gauge',
    unit: 's',
    source: 'taskwarden',
    attributes: TASK,
    description:
      'How long all but one in a hundred runs of the task take, as its own runs in this process show; absent until there have been overdue.runs of them.',
    quality: 'Within 9 %, never too low. Of the last 10,000 to 20,000 runs that ended, failed ones included.',
  },
  'task.overdue': {
    kind: 'gauge',
    unit: '{run}',
    source: 'taskwarden',
    attributes: TASK,
    description:
      'Runs in flight that are older than overdue.factor (5) times task.duration.learnt.p99, and than overdue.floor; absent with it.',
    quality: 'Exact at the moment of reading, against a learnt limit.',
  },
  'task.deadline.ratio': {
    kind: 'gauge',
    unit: '1',
    source: 'taskwarden',
    attributes: [...TASK, 'task.deadline.source'],
    description:
      'Age of a run in flight over its limit, of the run that is nearest to it: 1 is overdue, 0 none in flight. task.deadline.source: ' +
      'library (the timeout that the job or its library sets) or learnt (the limit of task.overdue).',
    quality: 'Exact at the moment of reading; library is absent where no run had a timeout.',
  },
  'task.lock.expired': {
    kind: 'gauge',
    unit: '{run}',
    source: 'taskwarden',
    attributes: TASK,
    description:
      'Runs in flight whose lock in the queue has run out, as the event loop has been blocked for longer than the lock lasts and ' +
      'renews none: another worker takes the job, which then runs twice. Absent where the library has no locks.',
    quality:
      'A lower bound: the lock was last renewed some time before the block. Written while the loop is blocked.',
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
      'exact: time between task switches, idle removed; sampled: time from sample to sample, see task.cpu.samples; sync_only: only the part before the first await; ' +
      'warming: exact mode has been on for less than the run. Time in which the thread waits for a CPU or sleeps is taken out (exact and sampled; on Linux, and elsewhere from Node.js 22.19 on), ' +
      'of sleeping, and elsewhere than on Linux of waiting, 10 ms at a time at most excepted.',
  },
  'task.cpu.samples': {
    kind: 'counter',
    unit: '{sample}',
    source: 'taskwarden',
    attributes: TASK,
    description:
      'Samples, one about every 12 ms while jobs are in flight, that found a run of the task running; they make task.cpu.time with task.cpu.quality sampled.',
    quality:
      'Of n samples, p of them in a task, its share has a relative standard error of about sqrt((1 - p) / (p n)): 10 % for 100 samples of a small task.',
  },
  'task.memory.allocated': {
    kind: 'counter',
    unit: 'By',
    source: 'taskwarden',
    attributes: TASK,
    description: 'Heap that runs of the task have allocated, whether or not it was freed since.',
    quality:
      'Estimate: growth of the heap in slices drawn at random, 250 to 1000 a second, while CPU is metered exactly. ' +
      'Too low where a single slice allocates more than the young generation.',
  },
  'task.memory.peak': {
    kind: 'gauge',
    unit: 'By',
    source: 'taskwarden',
    attributes: [...TASK, 'task.suspicion'],
    description:
      'Highest heap of the process in the last one to two minutes while a run of the task was in flight. ' +
      'task.suspicion: exclusive (runs of no other task were) or shared.',
    quality:
      "Readings of the main thread's heap, one a second: shorter runs may have none, and garbage is part of it.",
  },
  'task.event_loop.block.duration': {
    kind: 'histogram',
    unit: 's',
    buckets: BLOCKS,
    source: 'taskwarden',
    attributes: TASK,
    description:
      'Longest time one handler run kept the event loop to itself without a break, one value a run. The code of another run, or of the library, ends it, also where the loop had no turn.',
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
    description: 'HTTP requests started by handler runs (fetch, undici, http, https, http2).',
    quality: 'Exact. Every response to a redirect is a request of its own.',
  },
  'task.network.io': {
    kind: 'counter',
    unit: 'By',
    source: 'taskwarden',
    attributes: [...TASK, 'network.io.direction'],
    description:
      'Bytes of handler runs on TCP and Unix domain sockets, of those requests and of anything else; network.io.direction is transmit or receive.',
    quality:
      "Exact, headers included, while a connection is one run's: it has requests of that run alone on it, or the run has opened it and nobody " +
      'else writes to it. Over TLS the bytes before encryption, but after it where TLS begins on a connection in the clear (PostgreSQL, STARTTLS). Up to the end of the run. All else is in task.network.shared.io.',
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
  'task.payload.growth': {
    kind: 'gauge',
    unit: '{exponent}',
    source: 'taskwarden',
    attributes: TASK,
    description:
      "How a task's CPU time grows with the size of its payload: the exponent k of CPU ~ size^k. 1 is linear, 2 quadratic; absent " +
      'until payloads of enough different sizes have been seen.',
    quality:
      'Estimate: slope of log CPU against log size over medians of half-octaves of size. Fixed costs make it too low, never too high; ' +
      'of CPU time that is sync_only where nothing better is known. The lower bound is task.payload.growth.lower.',
  },
  'task.payload.growth.lower': {
    kind: 'gauge',
    unit: '{exponent}',
    source: 'taskwarden',
    attributes: TASK,
    description:
      'Lower bound of task.payload.growth (one-sided, 99.9 %): above 1.5 the task is more than linear in its input.',
    quality: 'Estimate.',
  },
  'task.payload.outliers': {
    kind: 'counter',
    unit: '{run}',
    source: 'taskwarden',
    attributes: TASK,
    description:
      "Runs whose payload was more than four times the 99th percentile of the task's own payloads before it.",
    quality:
      'Percentile of the last 10,000 to 20,000 runs, within 19 %; nothing counts before the 100th run.',
  },
  'task.handles.open': {
    kind: 'gauge',
    unit: '{handle}',
    source: 'taskwarden',
    attributes: [...TASK, 'task.handle.type'],
    description:
      'Handles opened in runs of the task and still open though the run ended more than handles.grace ago. task.handle.type: socket, ' +
      'timer, server, child_process or worker. Pooled ones are left out: sockets of HTTP agents and undici, and whatever another run has used since.',
    quality:
      'Exact up to 10,000 open ones, a second late. What a client made in a run, that nobody has used since, counts; so do one-shot ' +
      'timers longer than the grace. File handles are not seen: see task.file_descriptors.growth.',
  },
  'task.file_descriptors.growth': {
    kind: 'gauge',
    unit: '{file_descriptor}',
    source: 'taskwarden',
    attributes: [...TASK, 'leak.state'],
    description:
      'File descriptors that stay open after each run of the task, per run; absent until it can be told. leak.state: suspected, or confirmed beyond what a pool may fill (64) at a steady rate.',
    quality:
      "Estimate: regression of the process's descriptors on completed runs; the lower bound is task.file_descriptors.growth.lower.",
  },
  'task.file_descriptors.growth.lower': {
    kind: 'gauge',
    unit: '{file_descriptor}',
    source: 'taskwarden',
    attributes: [...TASK, 'leak.state'],
    description: 'Lower bound (4 standard errors) of task.file_descriptors.growth.',
    quality: 'Estimate.',
  },
  'task.jobs.checked': {
    kind: 'counter',
    unit: '{job}',
    source: 'taskwarden',
    attributes: TASK,
    description:
      'Job objects that were looked for three full collections after the end of their run. What share of them is still there is ' +
      'task.jobs.retained by this.',
    quality: 'A sample: at most 100 of a task and 1000 in all at a time.',
  },
  'task.jobs.retained': {
    kind: 'counter',
    unit: '{job}',
    source: 'taskwarden',
    attributes: TASK,
    description:
      'Job objects of that sample that were still reachable: the task, or a library, keeps jobs that are done.',
    quality: 'Exact for the sample. A worker that idles may keep its last job.',
  },
  'task.duplicates': {
    kind: 'counter',
    unit: '{run}',
    source: 'taskwarden',
    attributes: [...TASK, 'task.duplicate.type'],
    description:
      'Runs of a job that runs in this process already (task.duplicate.type concurrent), or that has succeeded in it before (repeated). ' +
      'Retries of a failed attempt are none, nor is a new job under an old id where the library keeps when a job was made.',
    quality:
      'Within this process. concurrent is exact; repeated knows about the last 16,000 successes, and takes one job for another in less than ' +
      'one of 10^12 runs.',
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
} as const satisfies Record<string, MetricDefinition>;
