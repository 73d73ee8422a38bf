import { readFileSync } from 'node:fs';
import { availableParallelism, cpus, release, totalmem } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { median } from './stats.ts';

/** CPU model, cores, memory and kernel, on one line. */
export function machine(): string {
  const model = cpus()[0]?.model ?? 'unknown CPU';
  return `${model}, ${availableParallelism()} cores, ${Math.round(totalmem() / 2 ** 30)} GiB, Linux ${release()}`;
}

/**
 * Busy and all jiffies of the whole machine: first line of /proc/stat (proc(5)), `cpu user nice system idle iowait irq
 * softirq steal guest guest_nice`; guest time is part of user time.
 */
export function cpuTime(stat: string): { busy: number; total: number } {
  const fields = stat.slice(0, stat.indexOf('\n')).trim().split(/\s+/).slice(1, 9).map(Number);
  const total = fields.reduce((sum, field) => sum + field, 0);
  return { busy: total - fields[3]! - fields[4]!, total };
}

/** What other processes do meanwhile, asked whenever the bench itself is idle. */
export class Neighbours {
  readonly #samples: number[] = [];

  async sample(): Promise<void> {
    this.#samples.push(await busyCores(300));
  }

  /** A sentence for the report; empty where nothing was asked. */
  toString(): string {
    if (this.#samples.length === 0) return '';
    const most = Math.max(...this.#samples);
    return `Others kept ${median(this.#samples).toFixed(2)} cores busy between the rounds (at most ${most.toFixed(2)}).`;
  }
}

/** Cores that other processes kept busy while this one waited for `ms`. */
async function busyCores(ms: number): Promise<number> {
  const read = () => cpuTime(readFileSync('/proc/stat', 'utf8'));
  const before = read();
  await delay(ms);
  const after = read();
  return ((after.busy - before.busy) / Math.max(1, after.total - before.total)) * availableParallelism();
}
