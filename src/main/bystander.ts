import { fileURLToPath } from 'node:url';

/** Main scripts of npm, pnpm, yarn and corepack, wherever these are installed: corepack's cache and a project's own yarn included. */
const PACKAGE_MANAGER =
  /\/(?:bin\/(?:np[mx]-cli|pnp[mx]|yarn(?:pkg)?)|yarn\/[^/]+\/yarn|\.yarn\/releases\/yarn-[^/]+|corepack\/dist\/\w+)\.[cm]?js$/;
/** Of the built package, in whose folder this module is as well. */
const OWN_COMMAND = fileURLToPath(new URL('./cli.js', import.meta.url));

/**
 * Whether this process is none to watch: a package manager, or the command `taskwarden`, which start the worker or have nothing to do with
 * it. With the preload in NODE_OPTIONS they would take the worker's port and export under its name.
 *
 * @param script the main script's path, links followed
 */
export function isBystander(script: string): boolean {
  return script === OWN_COMMAND || PACKAGE_MANAGER.test(script.replaceAll('\\', '/'));
}
