/** Lets a few through at a time; the others wait in line, up to a bound. */
export class Gate {
  readonly #inside: number;
  readonly #waiting: number;
  readonly #line: (() => void)[] = [];
  #count = 0;

  /** @param inside how many may be inside at once @param waiting how many may wait for that */
  constructor(inside: number, waiting: number) {
    this.#inside = inside;
    this.#waiting = waiting;
  }

  /** Fulfils once there is room, with what gives the place back; undefined when too many wait already. */
  enter(): Promise<() => void> | undefined {
    if (this.#count < this.#inside) {
      this.#count++;
      return Promise.resolve(this.#leaver());
    }
    if (this.#line.length >= this.#waiting) return undefined;
    return new Promise((fulfil) => {
      this.#line.push(() => fulfil(this.#leaver()));
    });
  }

  #leaver(): () => void {
    let left = false;
    return () => {
      if (left) return;
      left = true;
      const next = this.#line.shift();
      if (next === undefined) this.#count--;
      else next();
    };
  }
}
