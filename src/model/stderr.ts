import { writeSync } from 'node:fs';

/**
 * A line on standard error by its descriptor. Touching `process.stderr` makes a pipe non-blocking for all who share it, and a thread's
 * goes through the main thread, which may be blocked.
 */
export function warnOnStderr(text: string): void {
  writeStderr(`taskwarden: ${text}\n`);
}

export function writeStderr(text: string | Uint8Array): void {
  try {
    // The overloads of text and bytes are two.
    if (typeof text === 'string') writeSync(2, text);
    else writeSync(2, text);
  } catch {
    // Nobody reads standard error: there is no other place to say so.
  }
}
