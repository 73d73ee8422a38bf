import type { MetricDefinition } from './definition.ts';

const TASK = ['messaging.system', 'messaging.destination.name', 'task.name'] as const;

/** Worker processes that died with handler runs in flight, as the process that found it out tells of them. */
export const CRASH_METRICS = {
  'task.crashes': {
    kind: 'counter',
    unit: '{run}',
    source: 'taskwarden',
    attributes: [...TASK, 'task.crash.cause'],
    description:
      'Handler runs that were in flight when their worker process died. task.crash.cause: oom_kill, heap_limit, killed, exception, exit, signal, terminated (told to stop before) or unknown.',
    quality:
      'Of runs older than 100 ms, and of all with the option recorder=event. Counted by the process that found it out.',
  },
  'task.crashed': {
    kind: 'gauge',
    unit: '{run}',
    source: 'taskwarden',
    attributes: [...TASK, 'task.crash.cause', 'task.crash.id', 'task.crash.service', 'task.suspicion'],
    description:
      'Handler runs of one task that were in flight at one death, for five minutes after it was found out. task.suspicion: exclusive (it held the thread, or no other task was in flight) or shared.',
    quality: 'As task.crashes. At most 20 deaths at a time.',
  },
  'taskwarden.worker.crash.memory': {
    kind: 'gauge',
    unit: 'By',
    source: 'taskwarden',
    attributes: ['task.crash.id'],
    description: 'Resident memory of a worker before it died, for as long as task.crashed tells of it.',
    quality: 'At most a second before the death.',
  },
  'taskwarden.worker.crash.heap': {
    kind: 'gauge',
    unit: 'By',
    source: 'taskwarden',
    attributes: ['task.crash.id'],
    description: 'JavaScript heap of its main thread before it died.',
    quality: 'At most two seconds before the death; older where the event loop was blocked.',
  },
  'taskwarden.worker.crash.cpu.time': {
    kind: 'gauge',
    unit: 's',
    source: 'taskwarden',
    attributes: ['task.crash.id'],
    description: 'CPU time that it had used in all.',
    quality: 'At most a second before the death.',
  },
  'task.poison.deaths': {
    kind: 'gauge',
    unit: '{death}',
    source: 'taskwarden',
    attributes: [...TASK, 'task.poison.job'],
    optional: ['task.poison.job'],
    description:
      'Deaths of workers at which the job task.poison.job was in flight, from poison.deaths on; without that attribute, deaths within an hour of which the task was the only suspect, from poison.task_deaths on.',
    quality:
      'Of the deaths that were reported on this host. At most 20 series: job ids are no labels elsewhere.',
  },
  'taskwarden.recorder.files': {
    kind: 'counter',
    unit: '{file}',
    source: 'taskwarden',
    attributes: ['outcome'],
    description:
      'Files of flight recorders that this process has come upon: reported, corrupt, or foreign, which is of another host and left alone.',
    quality: 'Exact.',
  },
} as const satisfies Record<string, MetricDefinition>;
