/** Main scripts of npm, pnpm, yarn and corepack, wherever these are installed: corepack's cache and a project's own yarn included. */
const SCRIPT =
  /\/(?:bin\/(?:np[mx]-cli|pnp[mx]|yarn(?:pkg)?)|yarn\/[^/]+\/yarn|\.yarn\/releases\/yarn-[^/]+|corepack\/dist\/\w+)\.[cm]?js$/;

/**
 * Whether this process is a package manager that starts the worker, or nothing at all: with the preload in NODE_OPTIONS it would take the
 * worker's port and export under its name.
 *
 * @param script the main script's path, links followed
 */
export function isPackageManager(script: string): boolean {
  return SCRIPT.test(script.replaceAll('\\', '/'));
}
