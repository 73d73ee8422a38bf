import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Received } from './otlp-items.ts';
import type { Fault } from './otlp-sink.ts';

/** A receiver in a process of its own, whose clock and event loop nobody else blocks. */
export interface SinkProcess {
  readonly port: number;
  readonly grpcPort: number;
  readonly url: string;
  readonly grpcUrl: string;
  /** Everything it has received so far. */
  readonly items: readonly Received[];
  /** Fulfils with the first item for which `matches` holds; rejects when there is none within `limitMs`. */
  waitFor(matches: (item: Received) => boolean, limitMs?: number): Promise<Received>;
  setFault(fault: Fault): void;
  stop(): Promise<void>;
}

export async function startSinkProcess(): Promise<SinkProcess> {
  const program = new URL('./otlp-sink.ts', import.meta.url).pathname;
  const child = spawn(process.execPath, ['--no-warnings', program], { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout });
  const [first] = await once(lines, 'line');
  const { port, grpcPort } = JSON.parse(first) as { port: number; grpcPort: number };
  const items: Received[] = [];
  const watchers = new Set<(item: Received) => void>();
  lines.on('line', (line) => {
    const item = JSON.parse(line) as Received;
    items.push(item);
    for (const look of [...watchers]) look(item);
  });
  return {
    port,
    grpcPort,
    url: `http://127.0.0.1:${port}`,
    grpcUrl: `http://127.0.0.1:${grpcPort}`,
    items,
    waitFor(matches, limitMs = 10_000) {
      const known = items.find(matches);
      if (known !== undefined) return Promise.resolve(known);
      return new Promise((resolve, reject) => {
        const end = () => {
          clearTimeout(timer);
          watchers.delete(look);
        };
        const look = (item: Received) => {
          if (!matches(item)) return;
          end();
          resolve(item);
        };
        const timer = setTimeout(() => {
          end();
          reject(new Error(`not received within ${limitMs} ms, of ${items.length} items: ${matches}`));
        }, limitMs);
        watchers.add(look);
      });
    },
    setFault: (fault) => void child.stdin.write(`${JSON.stringify(fault)}\n`),
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const closed = once(child, 'close');
      child.stdin.end();
      await closed;
    },
  };
}
