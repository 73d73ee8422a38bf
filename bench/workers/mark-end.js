// Preloaded after what is measured: how long everything between the two marks kept the main thread.
import { report } from './report.js';

const { at, cpu } = globalThis.benchMark;
const spent = cpu === undefined ? undefined : process.threadCpuUsage(cpu);
report('preloaded', {
  wallMs: performance.now() - at,
  cpuMs: spent === undefined ? null : (spent.user + spent.system) / 1000,
});
