import type { Registry } from '../store/registry.ts';
import { type Claims, replicationId } from './claims.ts';
import { Gauges } from './gauges.ts';
import { Lease, type Role, STANDBY_LOOKS } from './lease.ts';
import type { Connect } from './link.ts';
import { errorIn, type Outcome, outcomeOf } from './outcome.ts';
import { Pace } from './pace.ts';
import type { Link } from './pipelines.ts';
import { elements, integer, text } from './reply.ts';
import { Scope } from './scope.ts';
import { Search } from './search.ts';
import type { Command, Poll, QueueSystem, Reply } from './system.ts';
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
  /** Shared by the watchers of a process. */
  readonly claims: Claims;
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

/** Commands in one pipeline: few enough that other clients of Redis come in between. */
const PIPELINE = 500;
/** Polls for which the load of Redis is taken to hold. */
const LOAD_EVERY = 4;
/** By how much the clock of Redis may differ from what it should be by the poll before. */
const CLOCK_TOLERANCE_MS = 2000;
const HOLDS_FOR_ALL: readonly Outcome[] = ['loading', 'noauth', 'maxclients'];

/** Watches the queues of one Redis, one poll at a time. */
export class RedisWatcher {
  readonly #options: RedisWatcherOptions;
  /** As `redis.instance` has it. */
  readonly instance: string;
  readonly #gauges: Gauges;
  readonly #scopes = new Map<string, Watching>();
  readonly #pace: Pace;
  #link: Link | undefined;
  /** For leases, where reading is from a replica. */
  #primary: Link | undefined;
  /** Of the Redis behind the link, whatever its address. */
  #identity: string | undefined;
  /** The clock of Redis, and when it said so. */
  #clock: { readonly redisMs: number; readonly atMs: number } | undefined;
  #polls = 0;
  /** When leases are to be renewed, should the poll go on for so long. */
  #renewMs = 0;
  /** How long the first answer of this poll took. */
  #latencyMs: number | undefined;
  #stopped = false;

  constructor(options: RedisWatcherOptions) {
    this.#options = options;
    this.#pace = new Pace(options.intervalMs);
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
    } catch (error) {
      // A connection that was closed on purpose is no fault of Redis.
      if (this.#stopped) return 0;
      this.#pace.failed();
      this.#fail(error instanceof Error ? error : new Error(String(error)));
    }
    const took = this.#options.now() - started;
    this.#set('taskwarden.redis.poll.interval', this.#pace.intervalMs / 1000);
    this.#set('taskwarden.redis.poll.duration', took / 1000);
    this.#gauges.endRound();
    const nextMs = this.#pace.nextMs();
    // However long it took to fail: what is in trouble gets its pause.
    if (this.#pace.isFailing) return nextMs;
    return Math.max(0, nextMs * (this.#standsBy() ? STANDBY_LOOKS : 1) - took);
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
    this.#latencyMs = undefined;
    this.#renewMs = Number.POSITIVE_INFINITY;
    // What is led for certain is read in the very trip that renews the lease.
    const early = [...this.#scopes.values()].filter((watching) => this.#isCertain(watching, started));
    const expectedMs = this.#clock === undefined ? 0 : this.#clock.redisMs + started - this.#clock.atMs;
    const intervalMs = this.#pace.intervalMs;
    const [redisMs] = await this.#run(
      link,
      together([
        this.#look(),
        this.#primary === undefined ? this.#elect(started) : nothing(),
        together(early.map(({ scope }) => scope.poll(expectedMs))),
      ]),
    );
    let late = this.#tell(early, started);
    if (this.#primary !== undefined || this.#pace.intervalMs > intervalMs)
      await this.#run(this.#primary ?? link, this.#elect(started));
    await this.#claim(link);
    const due = [...this.#scopes.values()].filter((watching) => this.#isDue(watching, started));
    await Promise.all(
      due.map(({ search }) => search.run((poll, node) => this.#run(link, poll, node), link.nodes())),
    );
    // Ages are wrong where a clock has been set, or another Redis answers.
    const isTrue = Math.abs(redisMs - expectedMs) <= CLOCK_TOLERANCE_MS + (this.#latencyMs ?? 0);
    const others = due.filter((watching) => !isTrue || !early.includes(watching));
    await this.#run(link, together(others.map(({ scope }) => scope.poll(redisMs))));
    late = this.#tell(others, started) || late;
    this.#pace.took(this.#options.now() - started);
    this.#publishRoles(late);
  }

  /** What was read stays, unless it took so long that another may have begun to lead: then it is that one's to tell. */
  #tell(polled: readonly Watching[], started: number): boolean {
    let late = false;
    for (const watching of polled) {
      const { role, lease, scope } = watching;
      watching.polledMs = started;
      if (role === 'leader' ? lease.holds(this.#options.now()) : this.#mayPoll(role)) continue;
      scope.silence();
      late ||= role === 'leader';
    }
    return late;
  }

  /** The clock of Redis, and its load. */
  *#look(): Poll<number> {
    const { now } = this.#options;
    const withLoad = this.#polls++ % LOAD_EVERY === 0;
    // Taken before Redis is asked: what is reckoned from it later is too late rather than too early, and no age too small.
    const atMs = now();
    const [time, info] = yield withLoad ? [['TIME'], ['INFO', 'cpu']] : [['TIME']];
    if (time instanceof Error) throw time;
    if (withLoad) this.#pace.load(text(info) ?? '', now());
    const [seconds, microseconds] = elements(time).map(integer);
    const redisMs = (seconds ?? 0) * 1000 + (microseconds ?? 0) / 1000;
    this.#clock = { redisMs, atMs };
    return redisMs;
  }

  /** Whether to poll before Redis has confirmed the lease: nobody else can have it yet, and the search has nothing to do. */
  #isCertain(watching: Watching, started: number): boolean {
    const { lease, search } = watching;
    if (this.#primary !== undefined || this.#clock === undefined) return false;
    return lease.holds(started) && search.isResting && this.#isDue(watching, started);
  }

  /** Where others lead some of the scopes there are looks between the polls of one's own. */
  #isDue({ role, polledMs }: Watching, started: number): boolean {
    if (!this.#mayPoll(role)) return false;
    return !this.#standsBy() || started - polledMs > this.#pace.intervalMs * (1 - STANDBY_LOOKS / 2);
  }

  #mayPoll(role: Role | undefined): boolean {
    return role === 'leader' || (role === 'refused' && this.#options.leaderless);
  }

  /** @param nowMs before the commands are sent */
  *#elect(nowMs: number): Poll<void> {
    this.#renewMs = nowMs + this.#pace.intervalMs;
    const all = [...this.#scopes.values()];
    const roles = yield* together(all.map(({ lease }) => lease.renew(nowMs, this.#pace.intervalMs)));
    for (const [at, watching] of all.entries()) {
      watching.role = roles[at]!;
      if (!this.#mayPoll(watching.role)) watching.scope.silence();
    }
  }

  /** Where there is no lease, another watcher of this process may poll the same Redis by another address. */
  async #claim(link: Link): Promise<void> {
    const open = [...this.#scopes].filter(([, { role }]) => role === 'refused' && this.#mayPoll(role));
    if (open.length === 0) return;
    const { claims } = this.#options;
    this.#identity ??= await this.#identify(link);
    for (const [name, watching] of open) {
      if (claims.take(`${this.#identity} ${name}`, this)) continue;
      watching.role = 'standby';
      watching.scope.silence();
    }
  }

  async #identify(link: Link): Promise<string> {
    const nodes = Array.from({ length: link.nodes() }, (_, node) => this.#run(link, replicationId(), node));
    return `${(await Promise.all(nodes)).sort().join()}/${this.#options.target.db}`;
  }

  #publishRoles(late: boolean): void {
    const roles = [...this.#scopes.values()].map(({ role }) => role);
    const polls = roles.some((role) => this.#mayPoll(role));
    const refused = !polls && roles.includes('refused');
    const told = late ? 'timeout' : this.#pace.isSlow ? 'slow' : 'ok';
    this.#status(polls || roles.length === 0 ? told : refused ? 'no_lease' : 'standby');
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

  #standsBy(): boolean {
    return [...this.#scopes.values()].some(({ role }) => !this.#mayPoll(role));
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

  async #send(link: Link, commands: readonly Command[], node?: number): Promise<Reply[]> {
    const { registry, now } = this.#options;
    const replies: Reply[] = [];
    for (let from = 0; from < commands.length; from += PIPELINE) {
      await this.#keepLeases(link);
      const some = commands.slice(from, from + PIPELINE);
      registry.add('taskwarden.redis.commands', { 'redis.instance': this.instance }, some.length);
      const sent = now();
      const answers = await link.send(some, node);
      if (this.#latencyMs === undefined) {
        this.#latencyMs = now() - sent;
        this.#pace.answered(this.#latencyMs);
      }
      const error = errorIn(answers);
      // These hold for every command: to go on would only ask the same again.
      if (error !== undefined && HOLDS_FOR_ALL.includes(outcomeOf(error))) throw error;
      replies.push(...answers);
    }
    return replies;
  }

  /** Within a poll that takes longer than an interval: else another would begin to lead. */
  async #keepLeases(link: Link): Promise<void> {
    const nowMs = this.#options.now();
    if (link !== this.#link || nowMs < this.#renewMs) return;
    await this.#run(this.#primary ?? link, this.#elect(nowMs));
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
    this.#identity = undefined;
    this.#options.claims.release(this);
  }
}

function* nothing(): Poll<void> {}
