/** `node --import taskwarden/register worker.js`: starts Taskwarden before the worker's own code. */
import { realpathSync } from 'node:fs';
import { getEnvironmentData, isMainThread, setEnvironmentData } from 'node:worker_threads';
import { start } from './index.ts';
import { isBystander } from './main/bystander.ts';
import { TaskwardenError } from './model/errors.ts';
import { warnOnStderr } from './model/stderr.ts';

/** What is missing in this process, and no mistake in the configuration. */
const LACKS: readonly unknown[] = ['TASKWARDEN_NODE', 'TASKWARDEN_MEMORY'];
/** Set for the threads of a process that is none to watch: of its main script they know nothing. */
const ASIDE = 'taskwarden.aside';

if (isMainThread && isBystander(mainScript())) setEnvironmentData(ASIDE, true);
if (getEnvironmentData(ASIDE) === undefined) preload();

function preload(): void {
  try {
    start();
  } catch (error) {
    const isLacking = error instanceof TaskwardenError && LACKS.includes(error.code);
    if (error instanceof TaskwardenError && !isLacking) {
      warnOnStderr(error.message);
      process.exit(1);
    }
    if (isMainThread || !isLacking)
      warnOnStderr(`cannot start, the program runs without it: ${reason(error)}`);
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
