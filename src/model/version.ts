/** `major.minor.patch-prerelease+build`, of which a comparator may leave out the end. */
const VERSION = /^v?(\d+)(?:\.(\d+))?(?:\.(\d+))?(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?$/;
const COMPARATOR = /^(>=|<=|>|<|=)?(.+)$/;

interface Version {
  /** One to three numbers. */
  numbers: number[];
  prerelease: string | undefined;
}

/**
 * Whether a version is within a range: comparators (`>=2`, `<7`, `=5.1.0`) joined by spaces, alternatives joined by `||`.
 * A comparator looks only at the parts that it names: `<=6` takes every 6.x. A prerelease counts as the release that it
 * leads to (7.0.0-rc.1 is not `<7`), unless the comparator names a prerelease itself. False when `version` is none.
 * @throws RangeError when the range is malformed.
 */
export function satisfies(version: string, range: string): boolean {
  const alternatives = range.split('||').map(parseComparators);
  const parsed = parseVersion(version);
  if (parsed === undefined || parsed.numbers.length < 3) return false;
  return alternatives.some((comparators) => comparators.every((accepts) => accepts(parsed)));
}

function parseComparators(text: string): ((version: Version) => boolean)[] {
  const parts = text.trim().split(/\s+/);
  return parts.map((part) => {
    const [, operator = '=', bound = ''] = COMPARATOR.exec(part) ?? [];
    const parsed = parseVersion(bound);
    if (parsed === undefined) throw new RangeError(`"${part}" is not a version comparator`);
    return (version) => holds(operator, compare(version, parsed));
  });
}

function parseVersion(text: string): Version | undefined {
  const match = VERSION.exec(text.trim());
  if (match === null) return undefined;
  const [, major, minor, patch, prerelease] = match;
  const numbers = [major, minor, patch].filter((part) => part !== undefined).map(Number);
  return { numbers, prerelease };
}

function holds(operator: string, order: number): boolean {
  if (operator === '>=') return order >= 0;
  if (operator === '<=') return order <= 0;
  if (operator === '>') return order > 0;
  if (operator === '<') return order < 0;
  return order === 0;
}

function compare(version: Version, bound: Version): number {
  for (const [at, number] of bound.numbers.entries()) {
    const difference = (version.numbers[at] ?? 0) - number;
    if (difference !== 0) return difference;
  }
  return bound.prerelease === undefined ? 0 : comparePrereleases(version.prerelease, bound.prerelease);
}

/** Order of prereleases (source: semver.org, section 11). */
function comparePrereleases(a: string | undefined, b: string): number {
  if (a === undefined) return 1;
  const [left, right] = [a.split('.'), b.split('.')];
  for (let at = 0; at < Math.max(left.length, right.length); at++) {
    const [x, y] = [left[at], right[at]];
    if (x === y) continue;
    if (x === undefined) return -1;
    if (y === undefined) return 1;
    const [m, n] = [/^\d+$/.test(x), /^\d+$/.test(y)];
    if (m && n) return Number(x) - Number(y);
    if (m !== n) return m ? -1 : 1;
    return x < y ? -1 : 1;
  }
  return 0;
}
