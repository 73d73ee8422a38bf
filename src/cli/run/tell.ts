import { sentence } from '../../agent/crashes/event.ts';
import { type DeathReport, readDeath } from './report.ts';

/**
 * Tells of a worker's end on standard error, and of a death in alerts.
 *
 * @param plan what comes next, to be said after it
 * @returns a promise of the alerts' delivery; what stands in their way is said
 */
export async function tellDeath(
  report: Omit<DeathReport, 'warn'>,
  warn: (text: string) => void,
  plan: string,
): Promise<void> {
  try {
    const { crashes, poison, deliver } = readDeath({ ...report, warn });
    for (const [at, crash] of crashes.entries())
      warn(`${sentence(crash)}${at === crashes.length - 1 ? plan : ''}`);
    for (const { task, jobId, deaths } of poison) {
      const where = `${task.task} (queue ${task.queue})`;
      if (jobId !== '') warn(`poison: job ${jobId} of task ${where} was in flight at ${deaths} deaths`);
      else warn(`poison: task ${where} was the only suspect of ${deaths} deaths within an hour`);
    }
    await deliver();
  } catch (error) {
    // The worker is to be kept running all the same.
    warn(`the death is not reported: ${(error as Error).message}`);
  }
}
