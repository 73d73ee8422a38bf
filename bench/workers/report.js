import { writeSync } from 'node:fs';

/** One JSON line to stdout at once, whatever the event loop does. */
export function report(event, fields = {}) {
  const line = Buffer.from(`${JSON.stringify({ event, ...fields })}\n`);
  // A pipe takes 64 KB until it is read.
  for (let at = 0; at < line.length; ) at += written(line.subarray(at));
}

function written(bytes) {
  try {
    return writeSync(1, bytes);
  } catch (error) {
    if (error.code !== 'EAGAIN') throw error;
    return 0;
  }
}

/** Ms since the epoch, with a fraction. */
export const now = () => performance.timeOrigin + performance.now();

export const connection = { host: '127.0.0.1', port: Number(process.env.BENCH_REDIS_PORT) };
