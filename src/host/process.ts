import { availableParallelism } from 'node:os';
import { residentBytes } from '../model/resident.ts';
import { fieldsAfterName, type KernelFiles } from './files.ts';
import type { Put } from './gauges.ts';

/**
 * The worker process as a whole: `process.resourceUsage()`, `memoryUsage.rss()` and `uptime()` speak of all its threads,
 * whichever of them asks; /proc/self does so for what is read here (not so for context switches in its `status`).
 * @returns a function that reads once, given the time in ms.
 */
export function processCollector(files: KernelFiles, put: Put): (nowMs: number) => void {
  let last: { at: number; user: number; system: number } | undefined;

  return (nowMs) => {
    const usage = process.resourceUsage();
    const user = usage.userCPUTime / 1e6;
    const system = usage.systemCPUTime / 1e6;
    put('process.cpu.time', user, { 'cpu.mode': 'user' });
    put('process.cpu.time', system, { 'cpu.mode': 'system' });
    const capacity = last === undefined ? 0 : ((nowMs - last.at) / 1000) * availableParallelism();
    if (last !== undefined && capacity > 0) {
      put('process.cpu.utilization', (user - last.user) / capacity, { 'cpu.mode': 'user' });
      put('process.cpu.utilization', (system - last.system) / capacity, { 'cpu.mode': 'system' });
    }
    last = { at: nowMs, user, system };

    const { threads, virtual } = parseStat(files.text('/proc/self/stat'));
    put('process.memory.usage', residentBytes());
    put('process.memory.virtual', virtual);
    put('process.thread.count', threads);
    put('process.unix.file_descriptor.count', files.count('/proc/self/fd'));
    const switches = 'process.context_switch.type';
    put('process.context_switches', usage.voluntaryContextSwitches, { [switches]: 'voluntary' });
    put('process.context_switches', usage.involuntaryContextSwitches, { [switches]: 'involuntary' });
    put('process.paging.faults', usage.minorPageFault, { 'system.paging.fault.type': 'minor' });
    put('process.paging.faults', usage.majorPageFault, { 'system.paging.fault.type': 'major' });
    put('process.uptime', process.uptime());
  };
}

/** Fields 20 and 23 of proc_pid_stat(5). */
function parseStat(text: string | undefined): { threads: number | undefined; virtual: number | undefined } {
  const fields = text === undefined ? undefined : fieldsAfterName(text);
  const field = (number: number) =>
    fields?.[number - 3] === undefined ? undefined : Number(fields[number - 3]);
  return { threads: field(20), virtual: field(23) };
}
