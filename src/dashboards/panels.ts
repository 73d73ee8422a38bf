import { asynq } from './asynq.ts';
import { queues } from './queues.ts';
import type { DashboardSpec } from './spec.ts';
import { tasks } from './tasks.ts';
import { worker } from './worker.ts';

/** Every dashboard that Taskwarden ships. */
export const DASHBOARDS: readonly DashboardSpec[] = [tasks, queues, worker, asynq];
