import { TaskwardenError } from '../model/errors.ts';
import { compile } from '../promql/promql.ts';
import type { RuleGroup } from '../rules/rule.ts';
import { settleThresholds } from '../rules/thresholds.ts';
import type { Registry } from '../store/registry.ts';
import type { Guard } from './guard.ts';
import type { RuleSources } from './rule-sources.ts';
import { RuleWatch } from './rule-watch.ts';

export interface RuleFilesOptions {
  readonly sources: RuleSources;
  /** Paths and globs of the user's. */
  readonly own: readonly string[];
  readonly cwd: string;
  readonly registry: Registry;
  readonly guard: Guard;
  readonly say: (level: 'warn' | 'info', text: string) => void;
  readonly now: () => number;
}

/** The rule files: read at the start, and again when they change. As in Prometheus, one broken file keeps all as they were. */
export class RuleFiles {
  readonly #options: RuleFilesOptions;
  #unmatched: readonly string[] = [];

  constructor(options: RuleFilesOptions) {
    this.#options = options;
    for (const outcome of ['success', 'failure'])
      options.registry.add('taskwarden.rules.reloads', { outcome }, 0);
  }

  /** @throws TaskwardenError for a file that cannot be used */
  read(): readonly RuleGroup[] {
    const { sources, own, cwd, registry, say, now } = this.#options;
    const { shipped } = sources;
    const { groups, unmatched, idle } = sources.load?.(own, compile, cwd, shipped) ?? {
      groups: settleThresholds(shipped),
      unmatched: [],
      idle: [],
    };
    for (const pattern of unmatched)
      if (!this.#unmatched.includes(pattern)) say('info', `rules: no file matches ${pattern}`);
    this.#unmatched = unmatched;
    // Without the shipped rules their thresholds are idle, and not for want of spelling.
    if (shipped.length > 0)
      for (const name of idle) say('warn', `rules: no rule asks for ${name}: the name may be misspelt`);
    registry.set('taskwarden.rules.reload.successful', {}, 1);
    registry.set('taskwarden.rules.reload.timestamp', {}, now() / 1000);
    return groups;
  }

  /** Reads all files again; gives nothing where one of them cannot be used, which has been told and counted then. */
  readAgain(): readonly RuleGroup[] | undefined {
    const { registry, say } = this.#options;
    try {
      const groups = this.read();
      registry.add('taskwarden.rules.reloads', { outcome: 'success' }, 1);
      say('info', `rules were read again: ${groups.length} groups`);
      return groups;
    } catch (error) {
      registry.add('taskwarden.rules.reloads', { outcome: 'failure' }, 1);
      registry.set('taskwarden.rules.reload.successful', {}, 0);
      if (!(error instanceof TaskwardenError)) throw error;
      say('warn', `${error.message}; the rules stay as they were`);
      return undefined;
    }
  }

  /** Calls `onChange` whenever the user's files have changed, from now on. */
  watch(onChange: () => void): void {
    const { own: patterns, cwd, guard, say } = this.#options;
    if (patterns.length === 0) return;
    const onBlind = (error: unknown): void =>
      say('warn', `changes of rule files are noticed late, as a folder cannot be watched: ${String(error)}`);
    const caught = (run: () => void): void => guard('rule watch', run);
    caught(() => void new RuleWatch({ patterns, cwd, onChange, guard: caught, onBlind }));
  }
}
