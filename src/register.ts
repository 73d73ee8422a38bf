/** `node --import taskwarden/register worker.js`: starts Taskwarden before the worker's own code. */
import { realpathSync } from 'node:fs';
import { getEnvironmentData, isMainThread, setEnvironmentData } from 'node:worker_threads';
import { start } from './index.ts';
import { isBystander } from './main/bystander.ts';
import { TaskwardenError } from './model/errors.ts';

/** Set for the threads of a process that is none to watch: of its main script they know nothing. */
const ASIDE = 'taskwarden.aside';

if (isMainThread && isBystander(mainScript())) setEnvironmentData(ASIDE, true);
if (getEnvironmentData(ASIDE) === undefined) preload();

function preload(): void {
  try {
    start();
  } catch (error) {
    const isOldNode = error instanceof TaskwardenError && error.code === 'TASKWARDEN_NODE';
    if (error instanceof TaskwardenError && !isOldNode) {
      console.error(`taskwarden: ${error.message}`);
      process.exit(1);
    }
    if (isMainThread || !isOldNode)
      console.error(`taskwarden: cannot start, the program runs without it: ${reason(error)}`);
  }
}

/** What npm is started by is a link. */
function mainScript(): string {
  const [, script = ''] = process.argv;
  try {
    return realpathSync(script);
  } catch {
    return script;
  }
}

function reason(error: unknown): string {
  if (error instanceof TaskwardenError) return error.message;
  const { code, permission, stack } = Object(error) as Record<string, unknown>;
  if (code !== 'ERR_ACCESS_DENIED') return String(stack ?? error);
  return permission === 'WorkerThreads' ? 'under --permission it needs --allow-worker' : String(error);
}
