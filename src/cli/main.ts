#!/usr/bin/env node
import { environment } from '../config/config.ts';
import { runCommand } from './commands.ts';

process.exitCode = await runCommand(process.argv.slice(2), {
  cwd: process.cwd(),
  env: environment(),
  out: console.log,
  err: console.error,
});
