import type { Registry } from '../store/registry.ts';
import { Gauges } from './gauges.ts';
import { Lease, type Role, STANDBY_LOOKS } from './lease.ts';
import type { Connect } from './link.ts';
import { errorIn, type Outcome, outcomeOf } from './outcome.ts';
import type { Link } from './pipelines.ts';
import { elements, integer, text } from './reply.ts';
import { Scope } from './scope.ts';
import { Search } from './search.ts';
import type { Poll, QueueSystem, Reply } from './system.ts';
import { instanceName, type RedisTarget } from './target.ts';
import { together } from './together.ts';
import type { NotLed } from './writes.ts';

export interface RedisWatcherOptions {
  readonly target: RedisTarget;
  readonly registry: Registry;
  readonly connect: Connect;
  /** Time between two polls, ms; it grows while Redis is slow or busy. */
  readonly intervalMs: number;
  /** Unique among all agents. */
  readonly owner: string;
  /** Whether to poll, too, where Redis takes no writes, so that no leader can be agreed upon. */
  readonly leaderless: boolean;
  /** Steps of the search for queues in one poll. */
  readonly searchSteps: number;
  /** Monotonic, ms. */
  readonly now: () => number;
  readonly onError: (error: unknown) => void;
}

interface Watching {
  readonly scope: Scope;
  readonly lease: Lease;
  readonly search: Search;
  role: Role | undefined;
  /** When its queues were last polled. */
  polledMs: number;
}

/** The first answer of a poll may take this share of the time until the next, and all of it that. */
const LATENCY_SHARE = 0.1;
const POLL_SHARE = 0.5;
/** Share of a core that Redis may be busy before it is asked less often, and by what factor. */
const BUSY = 0.75;
const RELIEF = 3;
const MAX_INTERVAL_MS = 60_000;

/** Watches the queues of one Redis, one poll at a time. */
export class RedisWatcher {
  readonly #options: RedisWatcherOptions;
  /** As `redis.instance` has it. */
  readonly instance: string;
  readonly #gauges: Gauges;
  readonly #scopes = new Map<string, Watching>();
  #link: Link | undefined;
  /** For leases, where reading is from a replica. */
  #primary: Link | undefined;
  #failures = 0;
  #stopped = false;
  #intervalMs: number;
  /** How long the last poll took that came to its end. */
  #tookMs = 0;
  #cpu: { seconds: number; atMs: number } | undefined;

  constructor(options: RedisWatcherOptions) {
    this.#options = options;
    this.#intervalMs = options.intervalMs;
    this.instance = instanceName(options.target);
    this.#gauges = new Gauges(options.registry);
  }

  /** Watches a system under a prefix: queues that are found, and those that are added to what is given back. */
  scope(system: QueueSystem, prefix: string): Scope {
    const { registry, owner, onError, searchSteps, now } = this.#options;
    const name = `${system.name}:${prefix}`;
    const known = this.#scopes.get(name);
    if (known !== undefined) return known.scope;
    const scope = new Scope({ system, prefix, instance: this.instance, registry, onError });
    this.#scopes.set(name, {
      scope,
      lease: new Lease(name, owner),
      search: new Search(scope, searchSteps, now),
      role: undefined,
      polledMs: Number.NEGATIVE_INFINITY,
    });
    return scope;
  }

  /** Polls once. Never throws. @returns ms until the next poll */
  async poll(): Promise<number> {
    const started = this.#options.now();
    try {
      await this.#poll(started);
      this.#failures = 0;
      this.#tookMs = this.#options.now() - started;
      this.#intervalMs = Math.max(this.#intervalMs, this.#tookMs / POLL_SHARE);
    } catch (error) {
      // A connection that was closed on purpose is no fault of Redis.
      if (this.#stopped) return 0;
      this.#failures++;
      this.#fail(error instanceof Error ? error : new Error(String(error)));
    }
    const took = this.#options.now() - started;
    const wait = this.#nextMs();
    this.#set('taskwarden.redis.poll.interval', this.#intervalMs / 1000);
    this.#set('taskwarden.redis.poll.duration', took / 1000);
    this.#gauges.endRound();
    return Math.max(0, wait - took);
  }

  /** Prefixes of a system under which a queue of that name is watched. */
  prefixesOf(system: string, queue: string): string[] {
    return [...this.#scopes].flatMap(([name, { scope }]) =>
      name.startsWith(`${system}:`) && scope.has(queue) ? name.slice(system.length + 1) : [],
    );
  }

  /**
   * Writes for an action, where this agent leads: by a connection to the primary, which ends with it.
   *
   * @param write is told whether Redis is no cluster
   * @throws Error when Redis cannot be reached
   */
  async write<Learnt>(
    system: string,
    prefix: string,
    write: (isSingle: boolean) => Poll<Learnt>,
  ): Promise<Learnt | NotLed> {
    const { target, connect, now } = this.#options;
    const { role, lease } = this.#scopes.get(`${system}:${prefix}`) ?? {};
    if (role === 'refused') return 'no_lease';
    if (lease?.holds(now()) !== true || this.#stopped) return 'standby';
    const link = await connect({ ...target, readFrom: 'primary' });
    try {
      if (!(await this.#run(link, lease.isHeld())) || !lease.holds(now())) return 'standby';
      return await this.#run(link, write(target.mode !== 'cluster'));
    } finally {
      link.close();
    }
  }

  /** Gives leases back and closes the connections. */
  async stop(): Promise<void> {
    this.#stopped = true;
    const link = this.#primary ?? this.#link;
    if (link !== undefined) {
      const release = together([...this.#scopes.values()].map(({ lease }) => lease.release()));
      await this.#run(link, release).catch(() => {});
    }
    this.#close();
  }

  async #poll(started: number): Promise<void> {
    const link = await this.#connected();
    const [time, info] = await this.#send(link, [['TIME'], ['INFO', 'cpu']]);
    if (time instanceof Error) throw time;
    this.#adapt(started, info);
    await this.#elect(started, link);
    const clock = elements(time);
    const redisMs = (integer(clock[0]) ?? 0) * 1000 + (integer(clock[1]) ?? 0) / 1000;
    const due = [...this.#scopes.values()].filter((watching) => this.#isDue(watching, started));
    await Promise.all(
      due.map(({ search }) => search.run((poll, node) => this.#run(link, poll, node), link.nodes())),
    );
    await this.#run(link, together(due.map(({ scope }) => scope.poll(redisMs))));
    let late = false;
    for (const watching of due) {
      watching.polledMs = started;
      // It took so long that another may have begun to lead: what was read is that one's to tell.
      if (watching.role !== 'leader' || watching.lease.holds(this.#options.now())) continue;
      watching.scope.silence();
      late = true;
    }
    this.#publishRoles(late);
  }

  /** Where others lead some of the scopes there are looks between the polls of one's own. */
  #isDue({ role, polledMs }: Watching, started: number): boolean {
    if (!this.#mayPoll(role)) return false;
    return !this.#standsBy() || started - polledMs > this.#intervalMs * (1 - STANDBY_LOOKS / 2);
  }

  #mayPoll(role: Role | undefined): boolean {
    return role === 'leader' || (role === 'refused' && this.#options.leaderless);
  }

  async #elect(started: number, link: Link): Promise<void> {
    const all = [...this.#scopes.values()];
    const where = this.#primary ?? link;
    const renewals = together(all.map(({ lease }) => lease.renew(started, this.#intervalMs)));
    const roles = await this.#run(where, renewals);
    for (const [at, watching] of all.entries()) {
      watching.role = roles[at]!;
      if (!this.#mayPoll(watching.role)) watching.scope.silence();
    }
  }

  #publishRoles(late: boolean): void {
    const roles = [...this.#scopes.values()].map(({ role }) => role);
    const polls = roles.some((role) => this.#mayPoll(role));
    const refused = !polls && roles.includes('refused');
    const outcome = polls || roles.length === 0 ? 'ok' : refused ? 'no_lease' : 'standby';
    this.#status(late ? 'timeout' : outcome);
    this.#set('taskwarden.redis.leader', polls ? 1 : 0);
  }

  /** Who led goes on to speak for the queues of a Redis that fails; who stood by keeps silent about them. */
  #fail(error: Error): void {
    const outcome = outcomeOf(error);
    if (outcome === 'error') this.#options.onError(error);
    this.#close();
    let spoke: boolean | undefined;
    for (const { scope, role } of this.#scopes.values()) {
      if (role === 'standby') scope.silence();
      else scope.fail(outcome);
      if (role !== undefined) spoke = spoke === true || this.#mayPoll(role);
    }
    this.#status(outcome);
    if (spoke !== undefined) this.#set('taskwarden.redis.leader', spoke ? 1 : 0);
  }

  #nextMs(): number {
    if (this.#failures > 0) {
      const backoff = this.#options.intervalMs * 2 ** Math.min(this.#failures - 1, 6);
      // Many agents lose the same Redis at the same moment.
      return (
        Math.min(backoff, Math.max(MAX_INTERVAL_MS, this.#options.intervalMs)) * (0.75 + Math.random() / 2)
      );
    }
    return this.#intervalMs * (this.#standsBy() ? STANDBY_LOOKS : 1);
  }

  #standsBy(): boolean {
    return [...this.#scopes.values()].some(({ role }) => !this.#mayPoll(role));
  }

  /** Asks less often what is slow to answer or busy, and more often again when it is neither. */
  #adapt(started: number, info: Reply | undefined): void {
    const { intervalMs, now } = this.#options;
    const latency = now() - started;
    let wanted = Math.max(intervalMs, latency / LATENCY_SHARE);
    const load = this.#load(text(info));
    if (load !== undefined && load > BUSY) wanted = Math.max(wanted, intervalMs * RELIEF);
    // A lease lasts longer than the interval, so that it outlasts the poll.
    wanted = Math.max(Math.min(wanted, Math.max(MAX_INTERVAL_MS, intervalMs)), this.#tookMs / POLL_SHARE);
    this.#intervalMs = wanted > this.#intervalMs ? wanted : (this.#intervalMs + wanted) / 2;
    if (this.#intervalMs < intervalMs * 1.05) this.#intervalMs = intervalMs;
  }

  /** Share of a core that Redis used since the last poll. */
  #load(info: string | undefined): number | undefined {
    const used = [...(info ?? '').matchAll(/^used_cpu_(?:sys|user):([\d.]+)/gm)].map(([, s]) => Number(s));
    if (used.length < 2) return undefined;
    const seconds = used.reduce((sum, s) => sum + s, 0);
    const before = this.#cpu;
    const atMs = this.#options.now();
    this.#cpu = { seconds, atMs };
    if (before === undefined || seconds < before.seconds || atMs <= before.atMs) return undefined;
    return (seconds - before.seconds) / ((atMs - before.atMs) / 1000);
  }

  async #connected(): Promise<Link> {
    const { target, connect } = this.#options;
    this.#link ??= await connect(target);
    if (target.readFrom === 'replica' && target.mode === 'sentinel')
      this.#primary ??= await connect({ ...target, readFrom: 'primary' });
    return this.#link;
  }

  /** A conversation to its end. */
  async #run<Learnt>(link: Link, poll: Poll<Learnt>, node?: number): Promise<Learnt> {
    let step = poll.next();
    while (step.done !== true) step = poll.next(await this.#send(link, step.value, node));
    return step.value;
  }

  async #send(link: Link, commands: Parameters<Link['send']>[0], node?: number): Promise<Reply[]> {
    if (commands.length === 0) return [];
    this.#options.registry.add(
      'taskwarden.redis.commands',
      { 'redis.instance': this.instance },
      commands.length,
    );
    const replies = await link.send(commands, node);
    const error = errorIn(replies);
    // These hold for every command: to go on would only ask the same again.
    if (error !== undefined && ['loading', 'noauth', 'maxclients'].includes(outcomeOf(error))) throw error;
    return replies;
  }

  #status(outcome: Outcome): void {
    this.#set('taskwarden.redis.status', 1, { 'queue.poll.outcome': outcome });
  }

  #set(metric: Parameters<Gauges['set']>[0], value: number, own: Record<string, string> = {}): void {
    this.#gauges.set(metric, own, value, { 'redis.instance': this.instance });
  }

  #close(): void {
    this.#link?.close();
    this.#primary?.close();
    this.#link = undefined;
    this.#primary = undefined;
  }
}
