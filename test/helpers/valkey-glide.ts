import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Has a native part of 20 MB: too much to be a dependency. */
const PACKAGE = '@valkey/valkey-glide@2.5.2';

export interface Installed {
  /** Folder that has it, fit for NODE_PATH. */
  readonly modules: string;
  remove(): void;
}

/** Installs Valkey GLIDE in a temporary folder; says why where it cannot be had. */
export function installGlide(): Installed | string {
  const folder = mkdtempSync(join(tmpdir(), 'taskwarden-glide-'));
  const remove = (): void => rmSync(folder, { recursive: true, force: true });
  const args = ['install', '--prefix', folder, '--no-save', '--no-audit', '--no-fund', PACKAGE];
  const { status } = spawnSync('npm', args, { stdio: 'ignore', timeout: 120_000 });
  if (status === 0) return { modules: join(folder, 'node_modules'), remove };
  remove();
  return `npm cannot install ${PACKAGE} here, so BullMQ is not tested on it (npm install ${PACKAGE})`;
}
