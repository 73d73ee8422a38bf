/** `node --import taskwarden/register worker.js`: starts Taskwarden before the worker's own code. */
import { start } from './index.ts';
import { TaskwardenError } from './model/errors.ts';

try {
  start();
} catch (error) {
  if (!(error instanceof TaskwardenError)) throw error;
  console.error(`taskwarden: ${error.message}`);
  process.exit(1);
}
