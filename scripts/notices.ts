import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * THIRD-PARTY-NOTICES.txt: names, versions and licences of the packages whose code is in the bundles.
 *
 * @param inputs files that went into the bundles, relative to `root`
 */
export function notices(root: string, inputs: Iterable<string>): string {
  const folders = new Set<string>();
  for (const input of inputs) {
    const folder = /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(input)?.[1];
    if (folder !== undefined) folders.add(folder);
  }
  const packages = [...folders].map((folder) => {
    const manifest = JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8')) as Record<
      string,
      string
    >;
    return {
      title: `${manifest.name} ${manifest.version} (${manifest.license})`,
      text: licence(join(root, folder)),
    };
  });
  packages.sort((a, b) => (a.title < b.title ? -1 : 1));
  const line = '-'.repeat(80);
  return `The files in dist/ contain code of the following packages.\n\n${packages
    .map(({ title, text }) => `${line}\n${title}\n\n${text.trim()}\n`)
    .join('\n')}`;
}

function licence(folder: string): string {
  const file = readdirSync(folder).find((name) => /^(licen[cs]e|copying)/i.test(name));
  if (file !== undefined) return readFileSync(join(folder, file), 'utf8');
  return existsSync(join(folder, 'README.md')) ? 'Licence: see its package.' : 'Licence: as named above.';
}
