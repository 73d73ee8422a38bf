/** Types that are told apart, and characters of each: both become label values. */
const MAX_TYPES = 200;
const MAX_LENGTH = 128;

/** Names of task types as labels have them; those beyond the cap, and of none, are `other`. */
export class TypeNames {
  readonly #known = new Set<string>();

  of(type: string): string {
    const name = type.slice(0, MAX_LENGTH);
    if (this.#known.has(name)) return name;
    if (name === '' || this.#known.size >= MAX_TYPES) return 'other';
    this.#known.add(name);
    return name;
  }
}
