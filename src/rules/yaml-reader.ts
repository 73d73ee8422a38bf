import {
  type Alias,
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseDocument,
  type Scalar,
  visit,
  type YAMLMap,
} from 'yaml';
import { type ErrorCode, type Position, TaskwardenError } from '../model/errors.ts';
import { scalarOffset } from './scalar-position.ts';
import { beyondLimits } from './yaml-limits.ts';

/** A rule file with more UTF-16 units, or with more nodes once its aliases are followed, is refused. */
const MAX_LENGTH = 1024 * 1024;
const MAX_NODES = 200_000;
/** Merge keys within merge keys: a mapping that merges itself would go on for ever. */
const MAX_MERGES = 20;
/** Errors of one file that are kept; a broken file has one cause and many echoes. */
const MAX_ERRORS = 50;
const MAX_SHOWN = 500;
/** What YAML forbids, and its parser lets pass. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const CONTROL = /[\0-\x08\v\f\x0e-\x1f\x7f-\x84\x86-\x9f\ufffe\uffff]/;

export interface Entry {
  readonly key: string;
  readonly keyNode: Scalar;
  /** Aliases are followed; null where the value is empty or null. */
  readonly value: Node | null;
}

/**
 * Reads a YAML document as strictly as Prometheus does, and keeps where everything stands. What is wrong is collected
 * in `errors`, and the reader goes on with the rest. Types follow Go's yaml.v3: a number or `yes` where a text is
 * wanted is its own text, null is the empty value.
 */
export class YamlReader {
  readonly errors: TaskwardenError[] = [];
  readonly #text: string;
  readonly #file: string;
  readonly #lines = new LineCounter();
  /** Anchored nodes by name, in the order of the file. */
  readonly #anchors = new Map<string, Node[]>();
  #nodes = 0;
  #merges = 0;

  constructor(text: string, file: string) {
    this.#text = text.replace(/^\uFEFF/, '');
    this.#file = file;
  }

  /** The root node, null when the document is empty; undefined when it is no well-formed YAML. */
  root(): Node | null | undefined {
    if (this.#text.length > MAX_LENGTH) {
      this.fail(0, `the file is larger than ${MAX_LENGTH} characters`);
      return undefined;
    }
    const control = this.#text.search(CONTROL);
    const beyond =
      control < 0
        ? beyondLimits(this.#text)
        : { offset: control, message: 'control characters are not allowed' };
    if (beyond !== undefined) {
      for (const { index } of this.#text.slice(0, beyond.offset).matchAll(/(?<![^\n])/g))
        this.#lines.addNewLine(index);
      this.fail(beyond.offset, beyond.message);
      return undefined;
    }
    const { stackTraceLimit } = Error;
    try {
      // Each of what may be 200,000 errors of the parser would have a stack.
      Error.stackTraceLimit = 0;
      const document = this.#parse();
      return document === undefined ? undefined : this.#follow(document.contents as Node | null);
    } catch (error) {
      this.fail(0, `cannot be read as YAML: ${error instanceof Error ? error.message : String(error)}`);
      return undefined;
    } finally {
      Error.stackTraceLimit = stackTraceLimit;
    }
  }

  #parse(): Document | undefined {
    const document: Document = parseDocument(this.#text, {
      lineCounter: this.#lines,
      // It would compare every pair of keys: entries() looks for duplicates in linear time instead.
      uniqueKeys: false,
      prettyErrors: false,
      logLevel: 'error',
    });
    for (const error of document.errors) this.fail(error.pos[0], yamlMessage(error.code, error.message));
    if (document.errors.length > 0) return undefined;
    visit(document, {
      Node: (_, node) => {
        const anchor = 'anchor' in node ? node.anchor : undefined;
        if (anchor === undefined) return;
        const nodes = this.#anchors.get(anchor);
        if (nodes === undefined) this.#anchors.set(anchor, [node]);
        else nodes.push(node);
      },
    });
    return document;
  }

  /** Records an error at a node or at an offset of the file. */
  fail(at: Node | number, message: string, code: ErrorCode = 'TASKWARDEN_YAML'): void {
    if (this.errors.length >= MAX_ERRORS) return;
    const position = this.position(at);
    this.errors.push(new TaskwardenError(code, shortened(message), { file: this.#file, position }));
  }

  /** Records an error at character `offset` of the decoded text of a scalar. */
  failInside(node: Node, offset: number, message: string, code: ErrorCode): void {
    this.fail(this.#inside(node, offset), message, code);
  }

  /** Where character `offset` of the decoded text of a scalar stands in the file. */
  positionInside(node: Node, offset: number): Position {
    return this.position(this.#inside(node, offset));
  }

  position(at: Node | number): Position {
    const offset = typeof at === 'number' ? at : (at.range?.[0] ?? 0);
    const { line, col } = this.#lines.linePos(offset);
    return { line: Math.max(1, line), column: Math.max(1, col) };
  }

  /** The entries of a mapping, each key once; undefined when `node` is none. `allowed` limits the keys. */
  entries(node: Node | null, what: string, allowed?: readonly string[]): Entry[] | undefined {
    if (node === null) return [];
    if (!isMap(node)) return this.#mismatch(node, what, 'a mapping');
    const found = new Map<string, Entry>();
    const merged: Entry[] = [];
    for (const entry of this.#rawEntries(node, what)) {
      const { key, keyNode, value } = entry;
      if (key === '<<' && keyNode.type === 'PLAIN') merged.push(...this.#merge(value, what, allowed));
      else if (found.has(key)) this.fail(keyNode, `${what}: key "${key}" is given twice`);
      else if (allowed !== undefined && !allowed.includes(key))
        this.fail(keyNode, `${what}: unknown key "${key}" (allowed: ${allowed.join(', ')})`);
      else found.set(key, entry);
    }
    for (const entry of merged) if (!found.has(entry.key)) found.set(entry.key, entry);
    return [...found.values()];
  }

  /** The items of a sequence; undefined when `node` is none. */
  items(node: Node | null, what: string): (Node | null)[] | undefined {
    if (node === null) return [];
    if (!isSeq(node)) return this.#mismatch(node, what, 'a list');
    return node.items.map((item) => this.#follow(item as Node | null));
  }

  /** The text of a scalar; undefined when `node` is none. */
  text(node: Node | null, what: string): string | undefined {
    if (node === null) return '';
    if (!isScalar(node)) return this.#mismatch(node, what, 'a text');
    if (typeof node.value === 'string') {
      if (!node.value.isWellFormed()) this.fail(node, `${what} is no well-formed Unicode`);
      return node.value;
    }
    return node.source ?? String(node.value);
  }

  integer(node: Node | null, what: string): number | undefined {
    if (node === null) return 0;
    if (isScalar(node) && node.type === 'PLAIN') {
      // As yaml.v3 reads an int: digits may be parted, and a fraction is cut off.
      const value = typeof node.value === 'string' ? Number(node.value.replaceAll('_', '')) : node.value;
      if (typeof value === 'number' && Math.abs(value) < 2 ** 63) return Math.trunc(value);
    }
    return this.#mismatch(node, what, 'a whole number');
  }

  #inside(node: Node, offset: number): Node | number {
    return isScalar(node) ? scalarOffset(node, this.#text, offset) : node;
  }

  *#rawEntries(map: YAMLMap, what: string): Generator<Entry> {
    for (const pair of map.items) {
      const keyNode = this.#follow(pair.key as Node | null);
      if (!isScalar(keyNode)) {
        this.fail(keyNode ?? map, `${what}: a key must be a text`);
        continue;
      }
      const key = this.text(keyNode, what) ?? '';
      yield { key, keyNode, value: this.#follow(pair.value as Node | null) };
    }
  }

  /** The entries that a merge key brings in: of one mapping or of several. */
  #merge(value: Node | null, what: string, allowed?: readonly string[]): Entry[] {
    if (this.#merges >= MAX_MERGES) {
      this.fail(value ?? 0, `${what}: merge keys are nested more than ${MAX_MERGES} deep`);
      return [];
    }
    this.#merges++;
    const sources = isSeq(value) ? (this.items(value, what) ?? []) : [value];
    const entries = sources.flatMap((source) => this.entries(source, `${what}, merged`, allowed) ?? []);
    this.#merges--;
    return entries;
  }

  #follow(node: Node | null): Node | null {
    if (++this.#nodes > MAX_NODES) {
      if (this.#nodes === MAX_NODES + 1)
        this.fail(node ?? 0, `more than ${MAX_NODES} nodes, aliases followed`);
      return null;
    }
    const target = isAlias(node) ? this.#anchored(node) : node;
    return isScalar(target) && target.value === null ? null : target;
  }

  #anchored(alias: Alias): Node {
    const nodes = this.#anchors.get(alias.source) ?? [];
    const before = alias.range?.[0] ?? 0;
    let from = 0;
    // By halves, as a name may be given to thousands of nodes.
    for (let to = nodes.length; from < to; ) {
      const middle = (from + to) >> 1;
      if ((nodes[middle]?.range?.[0] ?? 0) < before) from = middle + 1;
      else to = middle;
    }
    const target = nodes[from - 1];
    if (target === undefined) this.fail(alias, `alias *${alias.source} has no anchor before it`);
    return target ?? alias;
  }

  #mismatch(node: Node, what: string, wanted: string): undefined {
    if (isAlias(node)) return; // It led nowhere, which has been said.
    const found = isMap(node) ? 'a mapping' : isSeq(node) ? 'a list' : `"${String((node as Scalar).value)}"`;
    this.fail(node, `${what} must be ${wanted}, not ${found}`);
  }
}

/** A value or a message that a hostile file has blown up. */
function shortened(text: string): string {
  return text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)}…` : text;
}

function yamlMessage(code: string, message: string): string {
  if (/Maximum call stack|Stack overflow/.test(message)) return 'nested too deeply';
  return code === 'MULTIPLE_DOCS' ? 'only one YAML document is allowed in a file' : message;
}
