import { readFileSync, writeFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';

/** An import statement as esbuild writes it: what is bound, and from where. */
const STATEMENT = /(?<=^|[;\n])import\s*([\w$*{},\s]+?)\s*from\s*["']([\w:/]+)["'];?/g;
const CALL = /\bimport\(["']([\w:/]+)["']\)/g;

/**
 * Makes a bundle take Node's own modules by `process.getBuiltinModule`. An `import` of one reads all that it exports, and some of that is
 * loaded by being read: undici, HTTP/2 and assert by `http.WebSocket`, readline by `fs.promises`, Web Crypto by `crypto.webcrypto`.
 * What `import()` fulfils with has no `default` then.
 */
export function lazyBuiltins(path: string): void {
  const code = readFileSync(path, 'utf8');
  const lazy = code
    .replace(STATEMENT, (statement, clause: string, name: string) =>
      isBuiltin(name)
        ? bindings(clause)
            .map((target) => `const ${target}=${module(name)};`)
            .join('')
        : statement,
    )
    .replace(CALL, (call, name: string) => (isBuiltin(name) ? `Promise.resolve(${module(name)})` : call));
  writeFileSync(path, lazy);
}

function module(name: string): string {
  return `globalThis.process.getBuiltinModule("${name}")`;
}

/** Targets of declarations that bind what a clause such as `a, { b as c }` or `* as d` does. */
function bindings(clause: string): string[] {
  const [, whole = '', names] = /^([^{]*?)\s*,?\s*(?:\{(.*)\})?$/s.exec(clause) ?? [];
  return [
    ...whole.split(',').map((each) => each.trim().replace(/^\*\s*as\s+/, '')),
    names === undefined ? '' : `{${names.replace(/\s+as\s+/g, ':')}}`,
  ].filter((target) => target !== '');
}
