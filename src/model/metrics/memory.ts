import type { MetricDefinition } from './definition.ts';

const TASK = ['messaging.system', 'messaging.destination.name', 'task.name'] as const;

/** How near the worker is to the limits of its memory, and who is suspected of it. */
export const MEMORY_METRICS = {
  'taskwarden.memory.utilization': {
    kind: 'gauge',
    unit: '1',
    source: 'taskwarden',
    attributes: ['limit'],
    description:
      "Share of a limit of memory that is in use and cannot be taken back. limit: old_space (V8 aborts the process at the limit of the main thread's " +
      'old generation), cgroup (the kernel kills it at the limit of its control group), rss (the option memory.rss_limit) or data (RLIMIT_DATA, as prlimit --data sets it).',
    quality:
      'old_space: what the last full collection left, or what is in use where V8 must have collected meanwhile: at the latest it does so half-way ' +
      'between what the last one left and the limit. Read by the agent thread, four times a second and more often near a limit; told at once when a multiple of 5 % from 50 % on is passed.',
  },
  'taskwarden.memory.limit': {
    kind: 'gauge',
    unit: 'By',
    source: 'taskwarden',
    attributes: ['limit'],
    description: 'That limit; absent where there is none.',
    quality: 'From V8, the kernel and the configuration.',
  },
  'taskwarden.memory.time_left': {
    kind: 'gauge',
    unit: 's',
    source: 'taskwarden',
    attributes: ['limit'],
    description:
      'When the limit is reached if what is in use grows on as it did since the last look, 0.15 s or more ago; absent where it does not grow, while less than half ' +
      'of the limit is in use, and for old_space.',
    quality: 'A straight line through two readings.',
  },
  'taskwarden.memory.growth': {
    kind: 'gauge',
    unit: 'By',
    source: 'taskwarden',
    attributes: ['memory.kind'],
    description:
      'What has grown since memory was lowest within the last minute, while half of a limit is in use. memory.kind: heap, external (array buffers and what ' +
      'native code tells V8 of), other (of the resident memory all else) or page_cache (of the control group: files and other processes).',
    quality: 'Differences of readings that are not of one moment; other is what is left.',
  },
  'task.memory.suspicion': {
    kind: 'gauge',
    unit: '1',
    source: 'taskwarden',
    attributes: [...TASK, 'task.suspicion'],
    description:
      'Share of that growth that came while runs of the task were in flight, split evenly between the runs that were, while half of a limit is in use. task.suspicion: exclusive (a run of ' +
      'it held the thread, or no other task was in flight, for 90 % of the growth) or shared.',
    quality: 'Who was there, not who did it. The ten most suspected tasks.',
  },
  'task.memory.leak': {
    kind: 'gauge',
    unit: 'By',
    source: 'taskwarden',
    attributes: [...TASK, 'memory.kind', 'leak.state', 'leak.group'],
    optional: ['leak.group'],
    description:
      'Memory that stays behind after each run of the task, per run. leak.state: suspected, or confirmed once it has added more than caches fill (32 MiB; of rss 64 MiB) and its newest runs leave as much behind as its oldest. memory.kind: heap, external ' +
      '(array buffers and what native code tells V8 of) or rss (the process, heap and external left out). leak.group: tasks that always run together with it, which may be the cause instead.',
    quality:
      'Estimate: as task.memory.retained. leak.group holds at most five names; a task that shares its growth is never confirmed.',
  },
  'taskwarden.memory.leak.state': {
    kind: 'gauge',
    unit: '1',
    source: 'taskwarden',
    attributes: ['memory.kind', 'leak.state'],
    description:
      '1 for the present state of that kind of memory: none, suspected or confirmed (see task.memory.leak), or growth_unattributed: it grows, and no task can be blamed. Absent until enough has been seen.',
    quality: 'Estimate.',
  },
} as const satisfies Record<string, MetricDefinition>;
