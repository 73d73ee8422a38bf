import { Session } from 'node:inspector';
import { isMainThread } from 'node:worker_threads';
import type { Inbox } from '../bridge/inbox.ts';
import { SLOT_COUNT } from '../bridge/protocol.ts';

/** The question goes out as an interrupt: V8 answers it inside whatever JavaScript is running, but not inside native code. */
const TIMEOUT_MS = 100;
const EXPRESSION = "globalThis[Symbol.for('taskwarden.slot')]?.()";

/**
 * Asks the main thread which run it is busy with. Undefined when it does not answer in time (native code), or when the
 * inspector cannot be used.
 */
export function askMainThread(_inbox: Inbox): Promise<number | undefined> {
  return new Promise((resolve) => {
    if (isMainThread) {
      resolve(undefined);
      return;
    }
    const session = new Session();
    const finish = (slot: number | undefined): void => {
      clearTimeout(timer);
      session.disconnect();
      resolve(slot);
    };
    const timer = setTimeout(() => finish(undefined), TIMEOUT_MS);
    try {
      session.connectToMainThread();
      session.post('Runtime.evaluate', { expression: EXPRESSION, silent: true }, (error, answer) => {
        const value: unknown = answer?.result?.value;
        const valid = error === null && typeof value === 'number' && value >= -1 && value < SLOT_COUNT;
        finish(valid ? value : undefined);
      });
    } catch {
      finish(undefined);
    }
  });
}
