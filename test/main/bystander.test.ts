import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isBystander } from '../../src/main/bystander.ts';

test('package managers are known by their main script, wherever they are installed', () => {
  for (const script of [
    '/usr/lib/node_modules/npm/bin/npm-cli.js',
    '/usr/share/nodejs/npm/bin/npx-cli.js',
    'C:\\Program Files\\nodejs\\node_modules\\npm\\bin\\npm-cli.js',
    '/app/node_modules/.pnpm/pnpm@10.1.0/node_modules/pnpm/bin/pnpm.cjs',
    '/root/.cache/node/corepack/v1/pnpm/11.0.0/bin/pnpm.mjs',
    '/root/.cache/node/corepack/v1/yarn/4.9.1/yarn.js',
    '/opt/yarn-v1.22.22/bin/yarn.js',
    '/app/.yarn/releases/yarn-4.9.1.cjs',
    '/usr/lib/node_modules/corepack/dist/corepack.js',
    '/usr/lib/node_modules/corepack/dist/yarn.js',
  ])
    assert.ok(isBystander(script), script);
});

test('a worker is none, whatever its name', () => {
  for (const script of [
    '',
    '/app/worker.js',
    '/app/npm-cli.js',
    '/app/src/yarn.ts',
    '/home/yarn/app/dist/worker.js',
    '/home/npm/bin/worker.js',
    '/app/node_modules/.bin/pnpm-worker.js',
    '/app/node_modules/yarn-queue/bin/run.js',
  ])
    assert.ok(!isBystander(script), script);
});
