import type { Registry } from '../store/registry.ts';
import { cgroupCollector } from './cgroup.ts';
import { KernelFiles } from './files.ts';
import { putInto } from './gauges.ts';
import { machineCollector } from './machine.ts';
import { processCollector } from './process.ts';

export interface HostCollectorOptions {
  readonly registry: Registry;
  /** Folder that has the place of `/` when files of /proc and /sys are read. */
  readonly root?: string;
}

export interface HostCollector {
  /** Reads the process and its control group, synchronously, in well under a millisecond. Time in ms since the Unix epoch. */
  collect(nowMs: number): void;
  /** Reads the machine; for a slow interval. A call while the last one is under way joins it. */
  collectMachine(): Promise<void>;
}

/**
 * Keeps the metrics of process, container and machine. Whoever makes it owns the timers. Counters are those of the operating
 * system, which began before the agent did.
 */
export function createHostCollector({ registry, root = '/' }: HostCollectorOptions): HostCollector {
  const files = new KernelFiles(root);
  const put = putInto(registry);
  const collectProcess = processCollector(files, put);
  const collectGroup = cgroupCollector(files, put);
  const collectMachine = machineCollector(files, put);
  let running: Promise<void> | undefined;
  return {
    collect(nowMs) {
      collectProcess(nowMs);
      collectGroup();
    },
    collectMachine() {
      running ??= collectMachine().finally(() => {
        running = undefined;
      });
      return running;
    },
  };
}
