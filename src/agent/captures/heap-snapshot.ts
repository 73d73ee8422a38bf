import type { Inbox } from '../../bridge/inbox.ts';
import { F64 } from '../../bridge/protocol.ts';
import type { MainThread } from '../blocks/main-thread.ts';
import type { EvidenceFolder } from './folder.ts';

/** A loop that has not turned for so long is blocked, ms. */
const BLOCKED_MS = 500;
const PAUSE_MS = 5000;
const SNAPSHOT_MS = 300_000;
/** Measured on Node.js 22 to 26: size of the file and time at rest for a byte in use. */
const BYTES_A_BYTE = 1.2;
const BYTES_A_SECOND = 15e6;

export interface SnapshotOptions {
  readonly main: MainThread;
  readonly inbox: Inbox;
  readonly folder: EvidenceFolder;
  readonly path: string;
  readonly warn: (text: string) => void;
}

/**
 * Writes a snapshot of the main thread's heap. The thread stands still meanwhile, which is said before. A loop that does not turn is
 * paused by the debugger first: in the middle of JavaScript V8 would never begin.
 *
 * @returns size of the file, bytes
 * @throws Error when there is no room, or the thread is in native code
 */
export async function takeSnapshot({ main, inbox, folder, path, warn }: SnapshotOptions): Promise<number> {
  const heap = inbox.shared.f64[F64.usedHeap]!;
  folder.checkRoom(heap * BYTES_A_BYTE);
  warn(
    `a heap snapshot of about ${(heap * BYTES_A_BYTE * 1e-6).toFixed(0)} MB is taken; the worker stands still for about ${Math.ceil(heap / BYTES_A_SECOND)} s`,
  );
  const release = main.hold();
  const resume = inbox.lagMs() > BLOCKED_MS ? await pause(main) : undefined;
  const file = folder.open(path);
  let fault: unknown;
  const forget = main.on<{ chunk: string }>('HeapProfiler.addHeapSnapshotChunk', ({ chunk }) => {
    try {
      if (fault === undefined) file.add(chunk);
    } catch (error) {
      fault = error;
    }
  });
  try {
    const answer = await main.post('HeapProfiler.takeHeapSnapshot', { reportProgress: false }, SNAPSHOT_MS);
    if (fault !== undefined) throw fault;
    if (answer === undefined) throw new Error('the main thread gave no snapshot');
    file.done();
    return file.bytes;
  } catch (error) {
    file.give();
    throw error;
  } finally {
    forget();
    await resume?.();
    release();
  }
}

async function pause(main: MainThread): Promise<() => Promise<void>> {
  const resume = async (): Promise<void> => {
    await main.post('Debugger.resume', {}, PAUSE_MS);
    await main.post('Debugger.disable', {}, PAUSE_MS);
  };
  const paused = Promise.withResolvers<boolean>();
  const timer = setTimeout(paused.resolve, PAUSE_MS, false);
  const forget = main.on('Debugger.paused', () => paused.resolve(true));
  await main.post('Debugger.enable', { maxScriptsCacheSize: 0 }, PAUSE_MS);
  await main.post('Debugger.pause', {}, PAUSE_MS);
  const isPaused = await paused.promise;
  clearTimeout(timer);
  forget();
  if (isPaused) return resume;
  await resume();
  throw new Error('the main thread is in native code and cannot be paused');
}
