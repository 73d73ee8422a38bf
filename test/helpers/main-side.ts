import { Inbox, type RunRecord } from '../../src/bridge/inbox.ts';
import { Outbox } from '../../src/bridge/outbox.ts';
import { createShared, REQUEST_OUTCOMES } from '../../src/bridge/protocol.ts';
import { monotonicMs } from '../../src/model/clock.ts';
import { Sdk, type SdkOptions } from '../../src/sdk/sdk.ts';
import { CpuMeter, type CpuMeterOptions } from '../../src/tasks/meters/cpu.ts';
import { type RunInfo, Tasks, type TasksOptions } from '../../src/tasks/run.ts';

export const EXACT: boolean = Number(process.versions.node.split('.')[0]) >= 24;

/** The main side without its agent thread: what it would hand over is read here. */
export function mainSide(
  over: { sdk?: Partial<SdkOptions>; cpu?: Partial<CpuMeterOptions>; tasks?: Partial<TasksOptions> } = {},
) {
  const shared = createShared();
  const outbox = new Outbox(shared, 200);
  const inbox = new Inbox(shared.buffer, monotonicMs() - performance.now());
  const cpu = new CpuMeter(shared, { mode: 'auto', budget: 1, nodeOptions: [], ...over.cpu });
  const spans: Record<string, unknown>[] = [];
  const sdk = new Sdk({
    version: '0.0.0',
    spans: true,
    sampler: { name: 'parentbased_always_on', ratio: 1 },
    producer: 'link',
    onSpan: (span) => outbox.span(span),
    ...over.sdk,
  });
  const faults: [string, unknown][] = [];
  const tasks = new Tasks({
    outbox,
    cpu,
    openScope: (info) => sdk.open(info),
    onError: (part, error) => faults.push([part, error]),
    ...over.tasks,
  });
  const runs: RunRecord[] = [];
  /** What was counted beside the runs, by task and what it is. */
  const tallies = new Map<string, number>();
  /** What was exchanged with servers, by task (`shared` for none) and port. */
  const traffic = new Map<string, Record<string, number>>();
  const drain = (): RunRecord[] => {
    inbox.drain({
      run: (run) => runs.push(run),
      task: () => {},
      collection: () => {},
      tally: (task, name, delta) => {
        const key = `${task.task} ${name}`;
        tallies.set(key, (tallies.get(key) ?? 0) + delta);
      },
      traffic: (task, { port }, [, , bytesIn, bytesOut, timeMs, ...requests]) => {
        const key = `${task?.task ?? 'shared'} ${port ?? ''}`;
        const sum = traffic.get(key) ?? {};
        traffic.set(key, sum);
        const counts = requests.map((count, index) => [REQUEST_OUTCOMES[index]!, count] as const);
        for (const [name, count] of [
          ['bytesIn', bytesIn],
          ['bytesOut', bytesOut],
          ['timeMs', timeMs],
          ...counts,
        ] as const)
          sum[name] = (sum[name] ?? 0) + count;
      },
      unreadable: (error) => {
        throw error;
      },
      span: (span) => spans.push(span as Record<string, unknown>),
    });
    return runs;
  };
  return { shared, outbox, inbox, cpu, sdk, tasks, faults, runs, spans, tallies, traffic, drain };
}

export function runInfo(over: Partial<RunInfo> = {}): RunInfo {
  return {
    framework: 'test',
    queue: 'mail',
    task: 'send',
    jobId: '1',
    attempt: 1,
    waitMs: undefined,
    payloadBytes: undefined,
    carrier: undefined,
    ownSpan: false,
    ...over,
  };
}
