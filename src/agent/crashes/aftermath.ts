import type { RunRecord } from '../../bridge/inbox.ts';
import type { Config } from '../../config/config.ts';
import { stateFolder } from '../../config/state-dir.ts';
import type { RunReference } from '../../model/alert.ts';
import { monotonicMs, wallClock } from '../../model/clock.ts';
import type { Labels } from '../../model/labels.ts';
import type { LogData } from '../../model/log.ts';
import type { Registry } from '../../store/registry.ts';
import type { Guard } from '../guard.ts';
import { isRunning, ownProcess } from '../process-id.ts';
import { Claims } from './claim.ts';
import { crashOf } from './crash.ts';
import { Deaths, type Poison } from './deaths.ts';
import { crashRecord } from './event.ts';
import { memoryGroup, thisMachine } from './identity.ts';
import { CrashReports } from './reports.ts';

/** How often what is remembered of deaths is read though nothing was added, ms. */
const JUDGE_MS = 600_000;

export interface AftermathOptions {
  readonly config: Config;
  readonly service: string;
  readonly registry: Registry;
  readonly guard: Guard;
  /** Told of every death once. */
  readonly onEvent: (record: LogData) => void;
  /** Has the rules see the metrics now. */
  readonly evaluate: () => void;
}

/** Tells of processes of this host that have died with runs in flight, and of what has killed too many of them. */
export class Aftermath {
  readonly #options: AftermathOptions;
  readonly #claims: Claims | undefined;
  readonly #deaths: Deaths | undefined;
  readonly #reports: CrashReports;
  readonly #group = memoryGroup();
  #judged = { version: '', at: Number.NEGATIVE_INFINITY };

  constructor(options: AftermathOptions) {
    const { config, registry } = options;
    this.#options = options;
    this.#reports = new CrashReports(registry);
    const folder = stateFolder(config);
    if (folder === undefined) return;
    this.#deaths = new Deaths(folder.path);
    this.#claims = new Claims({
      folder,
      machine: thisMachine(),
      self: ownProcess(),
      isRunning,
      now: wallClock,
      onIgnored: (outcome) => registry.add('taskwarden.recorder.files', { outcome }, 1),
    });
  }

  /**
   * Looks for deaths; to be called now and then, and often enough to be the first of them to notice.
   *
   * @throws Error what the file system says
   */
  look(): void {
    const { registry, onEvent, evaluate } = this.#options;
    const now = wallClock();
    this.#reports.expire(monotonicMs());
    const claimed = this.#claims?.take() ?? [];
    for (const { recording } of claimed) {
      const isOurGroup = recording.identity.group !== '' && recording.identity.group === this.#group.path;
      const crash = crashOf(recording, isOurGroup ? { oomKills: this.#group.oomKills() } : {});
      this.#reports.crashed(crash, monotonicMs());
      registry.add('taskwarden.recorder.files', { outcome: 'reported' }, 1);
      onEvent(crashRecord(crash, now));
      if (crash.cause !== 'terminated') this.#deaths?.remember(crash);
    }
    this.#judge(now);
    if (claimed.length > 0) evaluate();
    // Only now: a death whose teller dies over it is told by the next one.
    for (const one of claimed) one.done();
  }

  /** A run has ended well: a job that counted as poison does so no longer. */
  succeeded({ task, jobId }: Pick<RunRecord, 'task' | 'jobId'>): void {
    const poison = this.#reports.poisonOf(task, jobId);
    if (poison !== undefined) this.#heal(poison);
  }

  #heal(poison: Poison): void {
    const { guard, service } = this.#options;
    guard('aftermath', () => {
      const now = wallClock();
      this.#deaths?.heal(poison, service, now);
      this.#judge(now);
    });
  }

  /** Reads what is remembered of deaths where there may be something new, or something has lapsed. */
  #judge(now: number): void {
    const version = this.#deaths?.version ?? '';
    if (version === this.#judged.version && now - this.#judged.at < JUDGE_MS) return;
    this.#judged = { version, at: now };
    const { config, service } = this.#options;
    this.#reports.poisonous(this.#deaths?.poison(service, now, config.poison) ?? []);
  }

  /** Runs that an alert about a death or about poison is about; undefined for other alerts. */
  runsFor(labels: Labels): RunReference[] | undefined {
    return this.#reports.runsFor(labels);
  }
}
