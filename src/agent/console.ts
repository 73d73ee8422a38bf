import { Writable } from 'node:stream';
import { writeStderr } from '../model/stderr.ts';

/** Has what libraries say in this thread written to standard error at once: the main thread, which would do it, reads none of it. */
export function writeConsoleByDescriptor(): void {
  let stream: Writable | undefined;
  const get = (): Writable => {
    stream ??= new Writable({
      write(chunk: Uint8Array, _encoding, done) {
        writeStderr(chunk);
        done();
      },
    });
    return stream;
  };
  for (const name of ['stdout', 'stderr'])
    Object.defineProperty(process, name, { get, configurable: true, enumerable: true });
}
