import { fillChannels } from '../../src/instrument/channels.ts';
import { replaceMethod } from '../../src/instrument/patch.ts';
import type { HandleMeter } from '../../src/tasks/meters/handles.ts';
import { NetworkMeter } from '../../src/tasks/meters/network.ts';
import { mainSide, runInfo } from './main-side.ts';

/** The main side with its network meter, in this very process. */
export function networkSide(
  maxServers = 50,
  handlesOf?: (meter: NetworkMeter) => HandleMeter,
  node: string = process.versions.node,
) {
  const faults: unknown[] = [];
  const meter = new NetworkMeter({
    maxServers,
    replace: replaceMethod,
    onError: (error) => faults.push(error),
  });
  const stops = [
    fillChannels({ network: meter, onError: (error) => faults.push(error), node }),
    meter.start(),
  ];
  const whole = mainSide({ tasks: { networkMeter: meter, handles: handlesOf?.(meter) } });
  return {
    ...whole,
    faults,
    meter,
    stop() {
      for (const stop of stops) stop();
    },
    /** Runs a handler as one run of a task, and gives back its record. */
    async run(task: string, handler: () => unknown) {
      await whole.tasks.run(
        () => runInfo({ task, jobId: task }),
        async () => void (await handler()),
      );
      return whole.drain().findLast((run) => run.task.task === task)!;
    },
    /** What was exchanged up to now, by task (`shared` for none) and port. */
    traffic(task: string, port: number | undefined): Record<string, number> | undefined {
      meter.check();
      meter.flush(whole.outbox);
      whole.drain();
      return whole.traffic.get(`${task} ${port ?? ''}`);
    },
  };
}

/** Looks every 10 ms, for at most 5 s. */
export async function until(what: string, ready: () => boolean | Promise<boolean>): Promise<void> {
  for (let i = 0; !(await ready()); i++) {
    if (i === 500) throw new Error(`not within 5 s: ${what}`);
    await new Promise((later) => setTimeout(later, 10));
  }
}
