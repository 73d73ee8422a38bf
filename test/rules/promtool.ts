import { spawnSync } from 'node:child_process';

/** Why promtool cannot be asked here, or false when it can: fit for the `skip` option of a test. */
export function promtoolMissing(): string | false {
  const { status } = spawnSync('promtool', ['--version'], { stdio: 'ignore' });
  return status === 0 ? false : 'promtool is not on PATH, so Prometheus cannot be asked';
}

export function promtool(...args: string[]): { status: number | null; output: string } {
  return promtoolAt('promtool', ...args);
}

export function promtoolAt(program: string, ...args: string[]): { status: number | null; output: string } {
  const { status, stdout, stderr } = spawnSync(program, args, { encoding: 'utf8', maxBuffer: 2 ** 26 });
  return { status, output: stdout + stderr };
}
