import { performance } from 'node:perf_hooks';
import v8 from 'node:v8';

/**
 * Functions of Node.js as they are when Taskwarden loads, for the program's own threads. What a program puts in their place later, such as fakes and stubs of tests
 * or what makes Node.js look like a browser, is to neither hold our timers nor change our figures, and has other results at times.
 */
export const { setTimeout, clearTimeout, setInterval, clearInterval, setImmediate } = globalThis;
/** Node.js before 22.19 cannot tell a thread's CPU time. */
export const { cpuUsage, threadCpuUsage } = process as Omit<NodeJS.Process, 'threadCpuUsage'> &
  Partial<Pick<NodeJS.Process, 'threadCpuUsage'>>;
export const { getHeapStatistics, getHeapSpaceStatistics } = v8;
export const { nodeTiming } = performance;
