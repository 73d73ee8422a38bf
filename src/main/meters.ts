import { isMainThread } from 'node:worker_threads';
import type { Outbox } from '../bridge/outbox.ts';
import { I32 } from '../bridge/protocol.ts';
import type { Config } from '../config/config.ts';
import { fillChannels } from '../instrument/channels.ts';
import { replaceMethod } from '../instrument/patch.ts';
import { watchTimers } from '../instrument/timers.ts';
import { threadMs } from '../model/clock.ts';
import { VERSION } from '../model/package.ts';
import { MANY_RUNS, Sdk } from '../sdk/sdk.ts';
import { Breakers } from '../tasks/breakers.ts';
import { Collector } from '../tasks/meters/collector.ts';
import { CpuMeter } from '../tasks/meters/cpu.ts';
import { Duplicates } from '../tasks/meters/duplicates.ts';
import { meterGc } from '../tasks/meters/gc.ts';
import { HandleMeter } from '../tasks/meters/handles.ts';
import { JobSample } from '../tasks/meters/jobs.ts';
import { NetworkMeter } from '../tasks/meters/network.ts';
import { Tasks } from '../tasks/run.ts';
import { Tally } from '../tasks/tally.ts';

export interface MetersOptions {
  readonly config: Config;
  readonly outbox: Outbox;
  readonly onError: (part: string, error: unknown) => void;
  readonly warn: (text: string) => void;
}

/** All that is measured in this thread, as the configuration wants it, and the runs that it is charged to. */
export class Meters {
  readonly #options: MetersOptions;
  readonly #tally = new Tally();
  readonly #collector: Collector;
  readonly #sample: JobSample | undefined;
  readonly #handles: HandleMeter | undefined;
  readonly cpu: CpuMeter;
  readonly network: NetworkMeter | undefined;
  readonly breakers: Breakers;
  readonly sdk: Sdk;
  readonly tasks: Tasks;

  constructor(options: MetersOptions) {
    const { config, outbox, onError, warn } = options;
    this.#options = options;
    this.#collector = new Collector((collection) => outbox.collection(collection));
    this.#sample = config.jobs.watch ? new JobSample(outbox.shared, this.#tally) : undefined;
    this.cpu = new CpuMeter(outbox.shared, {
      ...config.cpu,
      nodeOptions: config.nodeOptions,
      tally: this.#tally,
    });
    this.network = config.network
      ? new NetworkMeter({
          maxServers: config.maxServers,
          replace: replaceMethod,
          onError: (error) => onError('network', error),
        })
      : undefined;
    this.#handles = config.handles.watch ? this.#openHandles() : undefined;
    this.breakers = new Breakers(config.maxServers);
    this.sdk = new Sdk({
      version: VERSION,
      spans: config.spans && config.otel.exporters.traces.length > 0,
      sampler: config.otel.sampler,
      producer: config.telemetry.parent,
      onSpan: (span) => outbox.span(span),
      onUnrecorded: () =>
        warn(
          `the OpenTelemetry SDK of this process recorded no span of ${MANY_RUNS} runs, as its sampler decides: there are none then, as Taskwarden exports none beside it`,
        ),
    });
    this.tasks = this.#openTasks();
  }

  #openHandles(): HandleMeter {
    const { config, outbox, onError } = this.#options;
    const { network } = this;
    return new HandleMeter({
      graceMs: config.handles.grace,
      tally: this.#tally,
      replace: replaceMethod,
      above: network && ((socket) => network.above(socket)),
      onDropped: () => {
        outbox.shared.i32[I32.droppedHandles]!++;
      },
      onError: (error) => onError('handles', error),
    });
  }

  #openTasks(): Tasks {
    const { config, outbox, onError } = this.#options;
    const sample = this.#sample;
    return new Tasks({
      outbox,
      cpu: this.cpu,
      openScope: (info) => this.sdk.open(info),
      onError,
      network: config.network,
      networkMeter: this.network,
      handles: this.#handles,
      guard: isMainThread && config.actions.includes('terminate-run'),
      jobs: sample && { sample, duplicates: new Duplicates(), tally: this.#tally },
    });
  }

  /** @returns what stops them */
  start(): () => void {
    const { config, outbox, onError } = this.#options;
    const { network, cpu } = this;
    const handles = this.#handles;
    const started = [
      meterGc(outbox.shared, () => this.#collector.ended()),
      () => void this.#collector.stop(),
      fillChannels({ network, onError: (error) => onError('network', error) }),
      ...(network === undefined ? [] : [network.start()]),
      ...(handles === undefined ? [] : [handles.start(), this.#watchTimers(handles, config)]),
    ];
    cpu.start();
    return () => {
      cpu.stop();
      network?.check();
      for (const stop of started) stop();
    };
  }

  #watchTimers(handles: HandleMeter, config: Config): () => void {
    return watchTimers({
      graceMs: config.handles.grace,
      opened: (run, timer) => handles.opened(run, timer, 'timer'),
    });
  }

  /** To be called at every heartbeat. Times in ms of performance.now(). */
  beat(now: number, elapsed: number): void {
    this.cpu.check(now, elapsed);
    const asked = this.#options.outbox.collectionAsked;
    if (asked === 'natural') this.#collector.natural(now);
    else if (asked === 'exact') this.#collector.exact();
  }

  /** To be called about once a second. */
  refresh(): void {
    this.network?.check();
    this.tasks.publish();
    this.#sample?.check();
    this.#handles?.check(threadMs());
    this.#flush();
  }

  /** Gives the agent what has been counted so far, at the end. */
  handOver(): void {
    this.network?.check();
    this.#flush();
  }

  #flush(): void {
    const { outbox } = this.#options;
    this.#tally.flush(outbox);
    this.network?.flush(outbox);
    this.breakers.flush(outbox);
  }
}
