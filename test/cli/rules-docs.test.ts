import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { test } from 'node:test';
import { runCommand } from '../../src/cli/commands.ts';
import type { Io } from '../../src/cli/io.ts';
import { folder } from './fixture.ts';

const DOCS = readFileSync(resolve(import.meta.dirname, '../../docs/rules.md'), 'utf8');

function blocks(language: string): string[] {
  return [...DOCS.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, 'gm'))].map(
    ([, text]) => text!,
  );
}

test('the examples of docs/rules.md give what it says', async () => {
  const files = blocks('yaml').flatMap((text) => {
    const name = /^# (\S+\.yaml)\n/.exec(text)?.[1];
    return name === undefined ? [] : [[name, text] as const];
  });
  const cwd = folder(Object.fromEntries(files));
  let commands = 0;
  for (const block of blocks('console')) {
    for (const [, line = '', expected] of block.matchAll(/^\$ (.*)\n((?:(?!\$ ).*\n)*)/gm)) {
      assert.equal(await output(cwd, line.split(' ')), expected, line);
      commands++;
    }
  }
  assert.ok(files.length >= 4 && commands >= 5);
});

/** Both streams together, as a terminal shows them. */
async function output(cwd: string, [program, ...args]: string[]): Promise<string> {
  if (program === 'cat') return readFileSync(join(cwd, args[0]!), 'utf8');
  assert.equal(program, 'taskwarden');
  let text = '';
  const write = (line: string) => {
    text += `${line}\n`;
  };
  const io: Io = { cwd, env: {}, out: write, err: write };
  await runCommand(args, io);
  return text;
}
