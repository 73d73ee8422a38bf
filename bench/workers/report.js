import { writeSync } from 'node:fs';

/** One JSON line to stdout at once, whatever the event loop does. */
export function report(event, fields = {}) {
  writeSync(1, `${JSON.stringify({ event, ...fields })}\n`);
}

/** Ms since the epoch, with a fraction. */
export const now = () => performance.timeOrigin + performance.now();

export const connection = { host: '127.0.0.1', port: Number(process.env.BENCH_REDIS_PORT) };
