import { spawnSync } from 'node:child_process';
import { type Dialect, V3 } from '../../../src/promql/promql.ts';
import { V2 } from '../../../src/promql/v2.ts';
import { promtool3Built } from '../../helpers/go-programs.ts';

/** A promtool to compare with, and what is to be equal to it. */
export interface Engine {
  readonly version: string;
  readonly promtool: string;
  readonly mode: 'v2' | 'v3';
  readonly dialect: Dialect;
}

/** The promtool on PATH, and that of Prometheus 3.16 where `node scripts/collector.ts` has built it. */
export function engines(): Engine[] {
  const found: Engine[] = [];
  const { stdout, error } = spawnSync('promtool', ['--version'], { encoding: 'utf8' });
  const version = error === undefined ? /version ((\d+)\.\d+\.\d+)/.exec(stdout) : null;
  if (version !== null) {
    const mode = version[2] === '2' ? 'v2' : 'v3';
    found.push({ version: version[1]!, promtool: 'promtool', mode, dialect: mode === 'v2' ? V2 : V3 });
  }
  const built = promtool3Built();
  if (built !== undefined) found.push({ version: '3.16.0', promtool: built, mode: 'v3', dialect: V3 });
  return found;
}
