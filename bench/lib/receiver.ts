import { type Child, startFixture } from './child.ts';

/** What the receiver got since the last reset. */
export interface Summary {
  readonly requests: number;
  readonly bytes: number;
  readonly spans: number;
  /** Ms since the epoch of the last request, null without one. */
  readonly lastAt: number | null;
}

/** The OTLP receiver in its own process. */
export interface Receiver {
  readonly url: string;
  readonly child: Child;
  summary(): Promise<Summary>;
  reset(): Promise<void>;
  stop(): Promise<void>;
}

export async function startReceiver(): Promise<Receiver> {
  const child = startFixture('sink.ts', { limitMs: 3_600_000 });
  const url = String((await child.report('listening')).url);
  return {
    url,
    child,
    summary: async () => (await fetch(`${url}/summary`)).json() as Promise<Summary>,
    reset: async () => {
      await (await fetch(`${url}/reset`)).text();
    },
    stop: () => child.kill(),
  };
}
