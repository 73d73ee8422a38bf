/** `node --import taskwarden/register worker.js`: starts Taskwarden before the worker's own code. */
import { start } from './index.ts';
import { TaskwardenError } from './model/errors.ts';

try {
  start();
} catch (error) {
  if (error instanceof TaskwardenError) {
    console.error(`taskwarden: ${error.message}`);
    process.exit(1);
  }
  console.error(`taskwarden: cannot start, the program runs without it: ${reason(error)}`);
}

function reason(error: unknown): string {
  const { code, permission, stack } = Object(error) as Record<string, unknown>;
  if (code !== 'ERR_ACCESS_DENIED') return String(stack ?? error);
  return permission === 'WorkerThreads' ? 'under --permission it needs --allow-worker' : String(error);
}
