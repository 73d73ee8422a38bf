/** Version of this package; a test holds it equal to package.json, which a bundle should not have to read. */
export const VERSION = '0.1.0';
