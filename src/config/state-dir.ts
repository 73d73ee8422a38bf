import { tmpdir, userInfo } from 'node:os';
import { delimiter, isAbsolute, join, resolve } from 'node:path';
import type { Kind } from './kinds.ts';

/** Where what outlives a process is kept. */
export const stateDir: Kind<string> = {
  type: 'text',
  allowed: 'auto, off, or the path of a folder',
  parse: (raw) => {
    if (raw === false) return 'off';
    if (typeof raw !== 'string' || raw.trim() === '') return undefined;
    const text = raw.trim();
    const word = text.toLowerCase();
    return word === 'auto' || word === 'off' ? word : text;
  },
};

export interface StateFolder {
  /** Absolute; it need not exist. */
  readonly path: string;
  /** Whether it lies where others may write, so that it must be looked at before it is trusted. */
  readonly isShared: boolean;
}

interface StateSettings {
  readonly state: { readonly dir: string };
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
}

/**
 * The folder of the option `state.dir`; undefined when it is off. Of its own accord that is the folder which systemd gives a service
 * (StateDirectory=), else one of the user's among the temporary files: what is kept is of no use an hour later.
 */
export function stateFolder({ state: { dir }, env, cwd }: StateSettings): StateFolder | undefined {
  if (dir === 'off') return undefined;
  if (dir !== 'auto') return { path: resolve(cwd, dir), isShared: false };
  const given = env.STATE_DIRECTORY?.split(delimiter)[0] ?? '';
  if (isAbsolute(given)) return { path: given, isShared: false };
  return { path: join(tmpdir(), `taskwarden-${process.getuid?.() ?? userInfo().username}`), isShared: true };
}

/** The folder of the option `evidence.dir`; undefined when it is off, or would be in a state folder that is. */
export function evidenceFolder(settings: StateSettings & { readonly evidence: { readonly dir: string } }) {
  const { dir } = settings.evidence;
  if (dir === 'off') return undefined;
  if (dir !== 'auto') return { path: resolve(settings.cwd, dir), isShared: false };
  const folder = stateFolder(settings);
  return folder && { path: join(folder.path, 'evidence'), isShared: folder.isShared };
}
