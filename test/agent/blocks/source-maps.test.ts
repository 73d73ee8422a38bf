import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { SourceMaps } from '../../../src/agent/blocks/source-maps.ts';
import { folderWith } from '../../fixtures/faults/program.ts';

const SOURCE = `interface Image {
  readonly width: number;
}

export async function resize(image: Image): Promise<never> {
  type Unused = Image;
  await null;
  throw new Error(\`\${image.width}\`);
}
`;
const folder = folderWith({ 'resize.ts': SOURCE });
after(() => folder.remove());

/** Compiles by the TypeScript compiler, and gives the stack of what the output throws, one frame a line. */
async function stackOf(name: string, ...flags: string[]): Promise<string> {
  const out = join(folder.path, name);
  const tsc = join(import.meta.dirname, '../../../node_modules/typescript/bin/tsc');
  const fixed = ['--ignoreConfig', '--target', 'es2022', '--module', 'es2022', '--outDir', out];
  execFileSync(process.execPath, [tsc, join(folder.path, 'resize.ts'), ...fixed, ...flags], {
    stdio: 'pipe',
  });
  const file = join(out, 'resize.js');
  writeFileSync(join(out, 'package.json'), '{"type":"module"}');
  const { resize } = (await import(pathToFileURL(file).href)) as {
    resize: (image: object) => Promise<never>;
  };
  const error = await resize({ width: 1 }).catch((thrown: Error) => thrown);
  return error.stack!.split('\n').slice(1, 2).join('').trim();
}

for (const [what, name, flags] of [
  ['a file beside the module', 'file', ['--sourceMap']],
  ['a data: URL within it', 'inline', ['--inlineSourceMap']],
] as const)
  test(`places are those of the sources of TypeScript: the map is ${what}`, async () => {
    const stack = await stackOf(name, ...flags);
    assert.match(stack, /resize\.js:\d+:\d+\)$/);
    const source = pathToFileURL(join(folder.path, 'resize.ts')).href;
    assert.equal(new SourceMaps().translate(stack), `at resize (${source}:8:9)`);
  });

test('what has no map, or none that can be used, stays as it is', async () => {
  const maps = new SourceMaps();
  const file = join(folder.path, 'odd.js');
  const at = (): string => `at f (${file}:1:5)`;
  for (const link of [
    '',
    '//# sourceMappingURL=none.map',
    '//# sourceMappingURL=data:,no',
    '//# sourceMappingURL=http://host/x.map',
  ]) {
    writeFileSync(file, `f();\n${link}\n`);
    assert.equal(new SourceMaps().translate(at()), at(), link);
  }
  for (const frame of [
    'at f (node:internal/x:1:2)',
    'at f (<anonymous>)',
    'at native',
    'at f (/nowhere.js:1:1)',
    '',
  ])
    assert.equal(maps.translate(frame), frame);
});

test('a map that is too large is left alone', () => {
  const file = join(folder.path, 'large.cjs');
  writeFileSync(file, 'f();\n//# sourceMappingURL=large.map\n');
  const map = JSON.stringify({ version: 3, sources: ['a.ts'], names: [], mappings: 'AAAA' });
  writeFileSync(join(folder.path, 'large.map'), map);
  const at = `at f (${file}:1:1)`;
  assert.notEqual(new SourceMaps().translate(at), at);
  writeFileSync(join(folder.path, 'large.map'), map.padEnd((8 << 20) + 1));
  assert.equal(new SourceMaps().translate(at), at);
});

test('paths stay paths: frames of CommonJS modules, and those with a space', () => {
  const map = { version: 3, sources: ['a b.ts'], names: [], mappings: 'AAAA', sourceRoot: 'src' };
  const module = join(folder.path, 'plain file.cjs');
  writeFileSync(module, 'x\n//# sourceMappingURL=m.map\n');
  writeFileSync(join(folder.path, 'm.map'), JSON.stringify(map));
  const source = join(folder.path, 'src/a b.ts');
  const maps = new SourceMaps();
  assert.equal(maps.translate(`at f (${module}:1:1)`), `at f (${source}:1:1)`);
  assert.equal(maps.translate(`at async ${module}:1:1`), `at async ${source}:1:1`);
});
