import v8 from 'node:v8';
import vm from 'node:vm';

/** V8's own function; as a last resort it also moves objects together and gives free pages back. */
export type Gc = (options: { type: 'minor' | 'major'; flavor?: 'last-resort' }) => void;

/** Flags are the process's: another thread that does the same may take it away in between, which is not likely twice. */
const TRIES = 5;

/** `gc` is handed to contexts made while the flag is set; the process's own globals, and a flag of the user's, stay as they are. */
export function exposeGc(): Gc {
  // A context takes a millisecond of the thread.
  let gc = 'gc' in globalThis ? gcOfNewContext() : undefined;
  for (let tries = 0; gc === undefined && tries < TRIES; tries++) {
    v8.setFlagsFromString('--expose-gc');
    gc = gcOfNewContext();
    v8.setFlagsFromString('--no-expose-gc');
  }
  if (gc === undefined) throw new Error('V8 does not hand out its gc');
  return gc;
}

function gcOfNewContext(): Gc | undefined {
  return vm.runInNewContext('globalThis.gc');
}
