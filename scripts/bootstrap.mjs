// Runs one of our scripts from a bare clone: installs the development packages where they are missing, and uses the Node.js
// that they bring, whatever the machine has. Plain JavaScript for Node.js >= 20, as nothing is installed when it starts.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '..');
const bin = resolve(root, 'node_modules/.bin');
const ownNode = resolve(root, 'node_modules/node/bin/node');

function run(command, args, options = {}) {
  const result = spawnSync(command, args, { cwd: root, stdio: 'inherit', ...options });
  if (result.error) console.error(`${command}: ${result.error.message}`);
  if (result.signal) process.kill(process.pid, result.signal);
  return result.status ?? 1;
}

if (!existsSync(resolve(root, 'node_modules/.package-lock.json'))) {
  console.error('Installing the development packages (npm ci), once …');
  const status = run('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], {
    stdio: ['ignore', 2, 2],
  });
  if (status !== 0) process.exit(status);
}

// The package `node` has its binary from a package for this platform; where there is none, the machine's Node.js must do.
const node = existsSync(ownNode) ? ownNode : process.execPath;
if (node === process.execPath && !/^v(22\.(1[5-9]|[2-9]\d)|2[3-9]|[3-9]\d)/.test(process.version)) {
  console.error(
    `Node.js >= 22.15 is needed (this is ${process.version}), and the package "node" brought none for this platform.`,
  );
  process.exit(1);
}
const [script, ...args] = process.argv.slice(2);
process.exit(
  run(node, [script, ...args], { env: { ...process.env, PATH: `${bin}${delimiter}${process.env.PATH}` } }),
);
