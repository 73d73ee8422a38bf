import { createRequire } from 'node:module';
import { cpus, freemem, totalmem } from 'node:os';
import type { KernelFiles } from './files.ts';
import type { Put } from './gauges.ts';

/** In bytes. */
interface Memory {
  readonly used: number;
  readonly free: number;
  readonly available: number;
}

/** Interfaces that are reported at most: a machine full of containers has one for each of them. */
const MAX_INTERFACES = 32;

/**
 * The machine, or virtual machine, as a whole. Nothing here starts a process: of systeminformation only `mem` on Linux does
 * without (its `networkStats` runs `cat`), and its file alone is loaded, a fifth of the package's weight.
 * @returns a function that reads once.
 */
export function machineCollector(files: KernelFiles, put: Put): () => Promise<void> {
  let lastCpu = cpuTimes();
  let interfaces = new Set<string>();

  return async () => {
    const cpu = cpuTimes();
    const total = cpu.total - lastCpu.total;
    if (total > 0) put('system.cpu.utilization', 1 - (cpu.idle - lastCpu.idle) / total);
    lastCpu = cpu;

    const found = new Set<string>();
    for (const { name, receive, transmit } of parseNetDev(files.text('/proc/self/net/dev') ?? '')) {
      found.add(name);
      putInterface(put, name, receive, transmit);
    }
    for (const name of interfaces) if (!found.has(name)) putInterface(put, name, undefined, undefined);
    interfaces = found;

    for (const [state, bytes] of Object.entries(await readMemory()))
      put('system.memory.usage', bytes, { 'system.memory.state': state });
  };
}

interface Traffic {
  readonly bytes: number;
  readonly errors: number;
}

function putInterface(
  put: Put,
  name: string,
  receive: Traffic | undefined,
  transmit: Traffic | undefined,
): void {
  for (const [direction, traffic] of Object.entries({ receive, transmit })) {
    const attributes = { 'network.interface.name': name, 'network.io.direction': direction };
    put('system.network.io', traffic?.bytes, attributes);
    put('system.network.errors', traffic?.errors, attributes);
  }
}

/** Times in ms over all CPUs. */
function cpuTimes(): { total: number; idle: number } {
  let total = 0;
  let idle = 0;
  for (const { times } of cpus()) {
    total += times.user + times.nice + times.sys + times.idle + times.irq;
    idle += times.idle;
  }
  return { total, idle };
}

/** Interfaces that have ever carried something, by proc_pid_net(5): bytes and errors are columns 1 and 3 of eight each way. */
function parseNetDev(text: string): { name: string; receive: Traffic; transmit: Traffic }[] {
  const interfaces = [];
  for (const line of text.split('\n')) {
    const [, name, columns = ''] = /^\s*(\S+):(.*)$/.exec(line) ?? [];
    const values = columns.trim().split(/\s+/).map(Number);
    const [bytesIn = 0, , errorsIn = 0, , , , , , bytesOut = 0, , errorsOut = 0] = values;
    if (name === undefined || bytesIn + bytesOut === 0 || interfaces.length >= MAX_INTERFACES) continue;
    const receive = { bytes: bytesIn, errors: errorsIn };
    interfaces.push({ name, receive, transmit: { bytes: bytesOut, errors: errorsOut } });
  }
  return interfaces;
}

async function readMemory(): Promise<Memory> {
  if (process.platform !== 'linux') {
    const free = freemem();
    return { used: totalmem() - free, free, available: free };
  }
  // By `require`: Yarn's Plug'n'Play resolves nothing else in a thread.
  const { mem } = createRequire(import.meta.url)('systeminformation/lib/memory.js') as MemoryLibrary;
  const { active, free, available } = await mem();
  return { used: active, free, available };
}

/** The package has types for its entry alone. */
type MemoryLibrary = Pick<typeof import('systeminformation'), 'mem'>;
