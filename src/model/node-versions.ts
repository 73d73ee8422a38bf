/** Versions of Node.js that have what the preload needs (`module.registerHooks`), as in package.json's engines. */
export const NODE_VERSIONS = '>=22.15 <23 || >=23.5';
