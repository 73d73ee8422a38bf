import { resolve } from 'node:path';

/** The package as users get it: what programs of tests preload, import as `taskwarden` and run. Built by scripts/test.ts. */
const BUILD = resolve(import.meta.dirname, '../../dist');

export const REGISTER = resolve(BUILD, 'register.js');
export const CLI = resolve(BUILD, 'cli.js');
