import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Measured } from '../lib/figure.ts';

interface LockedPackage {
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly optional?: boolean;
}

/** The `packages` of a package-lock.json: keys are paths like `node_modules/a/node_modules/b`. */
export type LockedPackages = Readonly<Record<string, LockedPackage>>;

/**
 * Paths of the packages that the named ones bring, themselves included, found as Node would find them: nearest
 * `node_modules` first.
 *
 * @throws Error when a needed package is missing in the lock file.
 */
export function closure(packages: LockedPackages, names: readonly string[]): Set<string> {
  const found = new Set<string>();
  const visit = (name: string, from: string, optional: boolean) => {
    const path = resolve(packages, name, from);
    if (path === undefined) {
      if (optional) return;
      throw new Error(`package-lock.json lacks ${name}, wanted by ${from === '' ? 'the project' : from}`);
    }
    if (found.has(path)) return;
    found.add(path);
    const { dependencies = {}, optionalDependencies = {} } = packages[path]!;
    for (const each of Object.keys({ ...dependencies, ...optionalDependencies })) {
      visit(each, path, each in optionalDependencies);
    }
  };
  for (const name of names) visit(name, '', false);
  return found;
}

function resolve(packages: LockedPackages, name: string, from: string): string | undefined {
  for (let base = from; ; ) {
    const path = base === '' ? `node_modules/${name}` : `${base}/node_modules/${name}`;
    if (path in packages) return path;
    if (base === '') return undefined;
    const up = base.lastIndexOf('/node_modules/');
    base = up === -1 ? '' : base.slice(0, up);
  }
}

/** Bytes of a package's files, without packages nested in it; 0 where it is not installed (another platform's). */
function packageBytes(folder: string): number {
  let bytes = 0;
  const entries = readdirSync(folder, { withFileTypes: true, recursive: true });
  for (const entry of entries) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isFile() && !path.slice(folder.length).includes('/node_modules/')) bytes += statSync(path).size;
  }
  return bytes;
}

/** What installing the package adds to a disk on which @opentelemetry/sdk-node is installed already. */
export function measureInstalled(root: string): Measured[] {
  const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as {
    packages: LockedPackages;
  };
  const { dependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as LockedPackage;
  const ours = closure(packages, Object.keys(dependencies ?? {}));
  const sdk = closure(packages, ['@opentelemetry/sdk-node']);
  const beyond = [...ours].filter((path) => !sdk.has(path));
  const mb = (paths: Iterable<string>) =>
    [...paths].reduce((sum, path) => sum + packageBytes(join(root, path)), 0) / 1e6;
  const own = packedBytes(root) / 1e6;
  const one = (metric: string, unit: string, value: number) => ({
    case: 'installed',
    metric,
    unit,
    value,
    n: 1,
  });
  return [
    one('package_mb', 'MB', own),
    one('installed_mb', 'MB', own + mb(ours)),
    one('sdk_node_installed_mb', 'MB', mb(sdk)),
    {
      ...one('installed_mb_beyond_sdk_node', 'MB', own + mb(beyond)),
      goal: { value: 12, better: 'lower' },
    },
    one('installed_packages', 'count', ours.size + 1),
  ];
}

/** Unpacked size of what `npm pack` would publish. */
function packedBytes(root: string): number {
  // npm of the Node that runs this: `npm` on PATH may belong to another.
  const npm = process.env.npm_execpath;
  const [command, first] = npm === undefined ? ['npm', []] : [process.execPath, [npm]];
  const out = execFileSync(command, [...first, 'pack', '--dry-run', '--json', '--ignore-scripts'], {
    cwd: root,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const [{ unpackedSize }] = JSON.parse(out) as [{ unpackedSize: number }];
  return unpackedSize;
}
