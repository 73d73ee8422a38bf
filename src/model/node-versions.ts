/** Versions of Node.js that have what the preload needs (`module.registerHooks`): those of package.json's engines, but for some early ones of a major that has ended. */
export const NODE_VERSIONS = '>=22.15 <23 || >=23.5';
