import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Identity, Recording } from '../../../src/agent/crashes/layout.ts';
import { readRecording } from '../../../src/agent/crashes/read-recording.ts';
import { RecordingWriter } from '../../../src/agent/crashes/recording.ts';
import type { TaskKey } from '../../../src/bridge/protocol.ts';

export const RESIZE: TaskKey = { framework: 'test', queue: 'images', task: 'resize' };
export const TRACE = '0af7651916cd43dd8448eb211c80319cb7ad6b7169203331';

export const RESOURCES = { at: 2000, rss: 3000, heapUsed: 100, heapLimit: 1000, cpuMs: 500, oomKills: 0 };

export function identity(over: Partial<Identity> = {}): Identity {
  return {
    host: 'here',
    boot: 'abcdef01-2345',
    pidNamespace: 'pid:[1]',
    pid: 4711,
    start: 99,
    startedAt: 1000,
    service: 'mailer',
    group: '',
    supervisor: '',
    ...over,
  };
}

/** A folder of its own, removed with this process. */
export function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'taskwarden-crashes-'));
  process.once('exit', () => rmSync(path, { recursive: true, force: true }));
  return path;
}

export function runToRecord(jobId: string, task = RESIZE, trace = '') {
  const from = Buffer.from(trace + jobId);
  const traceLength = trace.length;
  const place = {
    from,
    traceAt: 0,
    traceLength,
    idAt: traceLength,
    idLength: from.length - traceLength,
    slot: -1,
    generation: 0,
  };
  return { task, startedAt: 1500, attempt: 2, cpuMs: 12.5, requests: 3, bytesIn: 10, bytesOut: 20, ...place };
}

/** The bytes of a file with these jobs in flight. */
export function fileOf(who: Identity, jobs: readonly string[]): Buffer {
  const writer = new RecordingWriter(who);
  writer.begin();
  for (const job of jobs) writer.add(runToRecord(job));
  const { parts, at } = writer.finish({
    resources: RESOURCES,
    holder: undefined,
    end: undefined,
    stopSignal: 0,
    origin: Number.NaN,
  });
  return Buffer.concat([Buffer.alloc(at), ...parts]);
}

/** Recordings of a folder, of processes that live or are dead. */
export function recordings(path: string): Recording[] {
  return readdirSync(path)
    .filter((name) => name.startsWith('flight-'))
    .map((name) => readRecording(readFileSync(join(path, name))))
    .filter((recording) => recording !== undefined);
}

/** Waits until that job is in a recording, which was made `ageMs` after its run's begin at least. @throws Error after 20 s */
export async function untilRecorded(
  path: string,
  jobId: string,
  ageMs = Number.NEGATIVE_INFINITY,
): Promise<void> {
  const isThere = ({ runs, resources }: Recording): boolean =>
    runs.some((run) => run.jobId === jobId && resources.at - run.startedAt >= ageMs);
  for (let i = 0; i < 800; i++) {
    if (recordings(path).some(isThere)) return;
    await delay(25);
  }
  throw new Error(`job ${jobId} was not recorded; there are ${readdirSync(path)}`);
}
