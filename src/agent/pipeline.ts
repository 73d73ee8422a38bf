import type { Notifier } from '../alerts/notifier.ts';
import type { Inbox } from '../bridge/inbox.ts';
import { QUIET_PACE } from '../bridge/pace.ts';
import type { Offer } from '../bridge/protocol.ts';
import type { Config } from '../config/config.ts';
import type { AlertTransition } from '../model/alert.ts';
import { type Clock, monotonicMs, steadyClock, wallClock } from '../model/clock.ts';
import { exposeGc } from '../model/gc.ts';
import type { RedisTarget } from '../model/redis-target.ts';
import { warnOnStderr } from '../model/stderr.ts';
import { type ResourceAttributes, resourceAttributes } from '../otlp/resource.ts';
import type { QueueSelection } from '../queues/watcher.ts';
import { Registry } from '../store/registry.ts';
import type { Actions } from './actions.ts';
import type { Alerting } from './alerting.ts';
import { Blocks } from './blocks/blocks.ts';
import type { Captures } from './captures/captures.ts';
import type { Aftermath } from './crashes/aftermath.ts';
import { openRecorder } from './crashes/open-recorder.ts';
import type { Recorder } from './crashes/recorder.ts';
import { createGuard, type Guard } from './guard.ts';
import { Intake } from './intake.ts';
import { isUrgent, type Occasion } from './occasions.ts';
import { Outlet } from './outlet.ts';
import { beginAtZero, countOwnCpu } from './own-metrics.ts';
import { Queues } from './queues.ts';
import { maxSeriesPerMetric, storeWarning } from './series-limits.ts';
import { Timers } from './timers.ts';

const MEMORY_CHECK_MS = 250;
const EXHAUSTION_CHECK_MS = 50;
const FLUSH_MS = 900;
/** How often the runs in flight are recorded, and how often it is looked for processes that have died. */
const RECORD_MS = 100;
const AFTERMATH_MS = 30_000;
/** How often it is looked whether alerts are to be sent again. */
const REMIND_MS = 5000;
/** Last resorts after which V8 has dropped what bytecode has not run: each collects twice, and six collections make it old. */
const FORGETS_BYTECODE = 3;

/**
 * Every stage of the agent, top to bottom, and what flows between them:
 *
 *     intake ─► registry ─► alerting (store, rules) ─► exporting (OTLP, Alertmanager)
 *       │          ▲   ▲                                   ▲
 *       ├─► blocks ┘   └ host, queues                      │
 *       └── spans ─────────────────────────────────────────┘
 *
 * `watch` is all that is needed to notice a blocked loop; `load` and `connect` bring in what is slower to load.
 */
export class Pipeline {
  readonly #config: Config;
  readonly #resource: ResourceAttributes;
  readonly #now: Clock = steadyClock();
  readonly #registry: Registry;
  readonly #guard: Guard;
  readonly #warn: (text: string) => void;
  readonly #intake: Intake;
  readonly #queues: Queues;
  readonly #timers: Timers;
  readonly #blocks: Blocks;
  #captures: Captures | undefined;
  #actions: Actions | undefined;
  #recorder: Recorder | undefined;
  #aftermath: Aftermath | undefined;
  #alerting: Alerting | undefined;
  readonly #outlet: Outlet;
  #collectHost: () => void = () => {};
  /** Times that the main thread has asked for the rule files to be read again. */
  #reloads = 0;
  /** A loop was found blocked before the rules were there to say so. */
  #isLate = false;
  /** When a poll last made a step of its own; monotonic. */
  #polledMs = Number.NEGATIVE_INFINITY;

  /**
   * @param options.sidecar whether there is no worker in this process, and queues are all there is to watch
   * @param options.instanceId identity of the process where the user gives none; a new one if left out
   */
  constructor(
    config: Config,
    { sidecar = false, instanceId }: { readonly sidecar?: boolean; readonly instanceId?: string } = {},
  ) {
    this.#config = config;
    this.#timers = new Timers({
      beatMs: config.watch.interval,
      pace: () => (this.#intake.isQuiet ? QUIET_PACE : 1),
      isUrgent: () => this.#intake.isUrgent,
    });
    this.#resource = resourceAttributes(config.otel.serviceName, {
      ...(instanceId !== undefined && { 'service.instance.id': instanceId }),
      ...config.otel.resourceAttributes,
    });
    this.#registry = new Registry(wallClock(), {
      maxSeriesPerMetric: maxSeriesPerMetric(config, sidecar),
      onFolded: () => this.#registry.add('taskwarden.series.folded', {}, 1),
    });
    beginAtZero(this.#registry);
    this.#outlet = new Outlet(this.#registry);
    this.#warn = ['none', 'error'].includes(config.log.level) ? () => {} : warnOnStderr;
    this.#guard = createGuard(this.#registry, this.#warn);
    const warning = sidecar ? undefined : storeWarning(config);
    if (warning !== undefined) this.#warn(warning);
    this.#blocks = new Blocks({
      registry: this.#registry,
      intervalMs: config.watch.interval,
      marks: () => this.#alerting?.blockMarks ?? [config.watch.threshold],
      inspector: config.inspector,
      warn: this.#warn,
      onBlocked: (block) => {
        this.#intake.evidence.blockedBy(block.run);
        this.#tick('block');
      },
      onFree: () => {
        this.#intake.evidence.blockedBy(undefined);
        this.#tick('block');
      },
    });
    this.#queues = new Queues({
      config,
      registry: this.#registry,
      guard: this.#guard,
      warn: this.#warn,
      sidecar,
      onPolled: sidecar ? () => this.#polled() : undefined,
    });
    this.#intake = new Intake({
      config,
      registry: this.#registry,
      guard: this.#guard,
      blocks: this.#blocks,
      outlet: this.#outlet,
      onQueue: (seen) => this.#queues.seen(seen),
      onSuccess: (run) => this.#aftermath?.succeeded(run),
    });
  }

  /** Stage one: watches a thread. The first is the main thread. */
  watch(offer: Offer): Inbox {
    const isFirst = this.#intake.main === undefined;
    const inbox = this.#intake.watch(offer);
    if (!isFirst) return inbox;
    this.#timers.every(this.#config.watch.interval, () => this.#watchOnce());
    this.#recorder = this.#guard('recorder', () =>
      openRecorder(
        this.#config,
        this.#resource,
        () => this.#intake.inboxes,
        () => this.#intake.drain(),
      ),
    );
    if (this.#recorder !== undefined) this.#timers.every(RECORD_MS, () => this.#record());
    // What is loaded next keeps this thread longer than a run may live.
    this.#record();
    this.#timers.every(MEMORY_CHECK_MS, () => this.#intake.checkMemory());
    return inbox;
  }

  /**
   * Stage two: store, rules, and the readers of process and host.
   * @throws TaskwardenError for a rule file that cannot be used
   */
  async load(): Promise<void> {
    const [{ Alerting }, { openRuleState }, { createHostCollector }] = await Promise.all([
      import('./alerting.ts'),
      import('./open-state.ts'),
      import('../host/collector.ts'),
    ]);
    const { openRuleSources } = await import('./rule-sources.ts');
    await this.#openActions();
    const { step } = this.#config.store;
    this.#alerting = new Alerting({
      config: this.#config,
      registry: this.#registry,
      resource: this.#resource,
      sources: await openRuleSources(this.#config),
      guard: this.#guard,
      runsFor: (labels, about) =>
        this.#aftermath?.runsFor(labels) ?? [
          ...this.#intake.evidence.runsFor(labels, about),
          ...this.#queues.runsFor(labels),
        ],
      onAlert: (transition) => this.#alert(transition),
      state: openRuleState(this.#config, this.#resource),
      say: (level, text) => this.#say(level, text),
    });
    await this.#openExhaustion();
    const host = createHostCollector({ registry: this.#registry });
    this.#collectHost = () => void this.#guard('host', () => host.collect(wallClock()));
    const collect = (): void => {
      this.#collectHost();
      this.#intake.observe();
    };
    const collectMachine = (): void => void this.#guard('machine', () => host.collectMachine());
    this.#timers.every(step, () => {
      collect();
      // Polls that come as often as steps take their place.
      if (monotonicMs() - this.#polledMs > step * 1.1) this.#tick('step');
    });
    this.#timers.every(this.#config.machine.interval, collectMachine);
    collect();
    this.#tick(this.#isLate ? 'all' : 'step');
    this.#guard('recorder', () => this.#recorder?.share(monotonicMs()));
  }

  /** Stage three: the OpenTelemetry exporters, and the HTTP API where it is configured. */
  async connect(): Promise<void> {
    const alerting = this.#alerting;
    const [{ Exporting }, notifier] = await Promise.all([
      import('./exporting.ts'),
      this.#guard('notify', () => this.#openNotifier(alerting)),
    ]);
    const exporting = new Exporting({
      config: this.#config,
      registry: this.#registry,
      resource: this.#resource,
      alerts: () => alerting?.alerts() ?? [],
      notifier,
      say: (level, text) => this.#say(level, text),
    });
    this.#guard('export', () => exporting.warm());
    this.#outlet.open(exporting);
    this.#timers.every(this.#config.otel.metricExportInterval, () => this.#exportMetrics());
    if (notifier !== undefined)
      this.#timers.every(REMIND_MS, () => this.#guard('notify', () => exporting.remind()));
    if (this.#config.http !== '' && alerting !== undefined)
      await this.#guard('http', () => this.#serve(alerting));
    await this.#guard('aftermath', () => this.#openAftermath());
    this.#guard('recorder', () => this.#recorder?.settled(monotonicMs()));
  }

  #say(level: 'warn' | 'info', text: string): void {
    if (level === 'warn' || ['info', 'debug'].includes(this.#config.log.level)) this.#warn(text);
  }

  /**
   * Loading leaves pages half full of garbage, which V8 keeps for as long as it is not told that nothing else is left, and bytecode that
   * nobody needs again.
   */
  giveBackMemory(): void {
    this.#guard('memory', () => {
      const gc = exposeGc();
      for (let i = 0; i < FORGETS_BYTECODE; i++) gc({ type: 'major', flavor: 'last-resort' });
    });
  }

  /** Reads the rule files again, see {@link Alerting.reload}. */
  reloadRules(): void {
    this.#alerting?.reload();
  }

  /** Watches queues of a Redis. @throws TaskwardenError for an address that cannot be read */
  watchQueues(where: RedisTarget | string, selection: QueueSelection): Promise<void> {
    return this.#queues.watch(where, selection);
  }

  /** Ends all stages, in reverse; what they know by then is exported. */
  async stop(): Promise<void> {
    await this.#queues.stop();
    this.#timers.stop();
    await this.flush();
  }

  /** Reads, evaluates and exports all that there is, within a second. */
  async flush(): Promise<void> {
    this.#intake.drain();
    this.#guard('recorder', () => this.#recorder?.end(monotonicMs()));
    this.#collectHost();
    this.#tick('all');
    this.#alerting?.flush();
    this.#exportMetrics();
    this.#intake.close();
    // The process may end as soon as this has: what would look at its main thread must not begin anew.
    this.#blocks.close(2 * FLUSH_MS);
    this.#captures?.close();
    await this.#outlet.exporting?.flush(FLUSH_MS);
  }

  /** What rules may ask for in this process. */
  async #openActions(): Promise<void> {
    const { openActions } = await import('./open-actions.ts');
    const { actions, captures, pauses } = await openActions({
      config: this.#config,
      registry: this.#registry,
      inbox: this.#intake.main,
      blocks: this.#blocks,
      queues: this.#queues,
      flush: async () => this.#outlet.exporting?.flush(FLUSH_MS),
      onEvent: (record) => this.#outlet.send('logs', (to) => to.event(record)),
      warn: this.#warn,
    });
    this.#actions = actions;
    this.#captures = captures;
    if (pauses === undefined) return;
    this.#timers.every(pauses.keepMs, () => this.#guard('queue actions', () => pauses.keep()));
  }

  /** The limits of memory, where there is a worker in this process. */
  async #openExhaustion(): Promise<void> {
    const inbox = this.#intake.main;
    if (inbox === undefined) return;
    const { openExhaustion } = await import('./exhaustion/open.ts');
    const exhaustion = openExhaustion(this.#config, inbox, this.#blocks.main, this.#registry, {
      active: () => this.#intake.active(),
      onMark: () => this.#tick('memory'),
    });
    const check = (): void => void this.#guard('memory', () => exhaustion.check(monotonicMs()));
    this.#timers.every(Math.min(EXHAUSTION_CHECK_MS, this.#config.watch.interval), check);
  }

  async #serve(alerting: Alerting): Promise<void> {
    const { openHttp } = await import('./http.ts');
    const [config, registry, resource] = [this.#config, this.#registry, this.#resource];
    openHttp({ config, registry, resource, alerting, now: this.#now, guard: this.#guard });
  }

  /** What processes that have died left behind: at the start, and as long as there may be others beside this one. */
  async #openAftermath(): Promise<void> {
    if (this.#config.state.dir === 'off') return;
    const { Aftermath } = await import('./crashes/aftermath.ts');
    const aftermath = new Aftermath({
      config: this.#config,
      service: String(this.#resource['service.name']),
      registry: this.#registry,
      guard: this.#guard,
      onEvent: (record) => this.#outlet.send('logs', (to) => to.event(record)),
      evaluate: () => this.#tick('all'),
    });
    this.#aftermath = aftermath;
    const look = (): void => void this.#guard('aftermath', () => aftermath.look());
    this.#timers.every(AFTERMATH_MS, look);
    look();
  }

  #alert(transition: AlertTransition): void {
    // What an action does may need to know of the block; what the alert tells, of the files that the action writes.
    const evidence = this.#guard('actions', () => this.#actions?.dispatch(this.#blocks.look(transition)));
    const found = this.#blocks.attach(transition, evidence ?? []);
    this.#outlet.send('logs', (to) => to.alert(found));
  }

  #record(): void {
    this.#guard('recorder', () => this.#recorder?.tick(monotonicMs()));
  }

  /** Alertmanagers and webhooks, where there are any. */
  async #openNotifier(alerting: Alerting | undefined): Promise<Notifier | undefined> {
    const [config, registry, resource] = [this.#config, this.#registry, this.#resource];
    if (alerting === undefined || config.alertmanagers.length + config.webhooks.length === 0)
      return undefined;
    const { openNotifier } = await import('./notifying.ts');
    return openNotifier({ config, registry, resource, alerting, guard: this.#guard, warn: this.#warn });
  }

  #watchOnce(): void {
    this.#intake.check();
    const asked = this.#intake.main?.reloadsAsked ?? 0;
    if (asked === this.#reloads) return;
    this.#reloads = asked;
    this.reloadRules();
  }

  /** What a poll has brought is not to wait for the next step; many instances of Redis do not make many more steps. */
  #polled(): void {
    const now = monotonicMs();
    if (now - this.#polledMs < this.#config.store.step / 2) return;
    this.#polledMs = now;
    this.#tick('all');
  }

  #tick(occasion: Occasion): void {
    if (this.#alerting === undefined) {
      this.#isLate ||= occasion !== 'step';
      return;
    }
    // A process that has a tenth of a CPU, or is about to die, has no time for what can wait for the next step.
    if (!isUrgent(occasion)) {
      this.#intake.collect();
      this.#guard('vitals', () => countOwnCpu(this.#registry));
    }
    this.#guard('rules', () => this.#alerting?.tick(this.#now(), occasion));
  }

  #exportMetrics(): void {
    this.#guard('export', () => this.#outlet.exporting?.metrics());
  }
}
