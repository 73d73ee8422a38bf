import { once } from 'node:events';
import { createServer } from 'node:net';

/** Below those that the system gives to connections (32768 and above on Linux), which would take it before its server does. */
const [FIRST, LAST] = [15_000, 32_000];
const ATTEMPTS = 20;

/** A TCP port of 127.0.0.1 that was free a moment ago. */
export async function freePort(attempts: number = ATTEMPTS): Promise<number> {
  const port = FIRST + Math.floor(Math.random() * (LAST - FIRST));
  const server = createServer().listen(port, '127.0.0.1');
  try {
    await once(server, 'listening');
  } catch (error) {
    if (attempts === 0) throw error;
    return freePort(attempts - 1);
  }
  server.close();
  await once(server, 'close');
  return port;
}
