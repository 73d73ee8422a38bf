export interface Scanned {
  readonly kind: 'number' | 'duration' | 'bad';
  /** Where it ends, or as far as it was read in vain. */
  readonly end: number;
}

/** The number or duration at `start`, not yet judged for its value (source: Prometheus, lex.go lexNumberOrDuration). */
export function scanNumber(text: string, start: number): Scanned {
  const scanner = new Scanner(text, start);
  if (scanner.number()) return { kind: 'number', end: scanner.at };
  return { kind: scanner.restOfDuration() ? 'duration' : 'bad', end: scanner.at };
}

class Scanner {
  readonly #text: string;
  at: number;

  constructor(text: string, at: number) {
    this.#text = text;
    this.at = at;
  }

  number(): boolean {
    let digits = '0123456789';
    if (this.#accept('0') && this.#accept('xX')) {
      this.#accept('_');
      digits = '0123456789abcdefABCDEF';
    }
    const hexadecimal = digits.length > 10;
    this.#accept('.');
    this.#accept(digits);
    let point = false;
    let exponent = false;
    while (this.#is(`${digits}._eE`)) {
      if (this.#is('.')) {
        this.at++;
        if (point || this.#accept('_.') || hexadecimal) return false;
        point = true;
      } else if (this.#is('eE')) {
        this.at++;
        // Of hexadecimal numbers, e is a digit that ends the number all the same.
        if (exponent) return false;
        exponent = true;
        this.#accept('+-');
        if (this.#accept('._eE') || this.#atEnd()) return false;
      } else if (this.#accept('_')) {
        if (this.#accept('._eE') || this.#atEnd()) return false;
      } else {
        while (this.#accept(digits));
      }
    }
    return !/\w/.test(this.#text[this.at] ?? '');
  }

  /** The units of a duration whose first number has been read. */
  restOfDuration(): boolean {
    if (!this.#accept('smhdwy')) return false;
    this.#accept('s');
    while (this.#accept('0123456789')) {
      while (this.#accept('0123456789'));
      if (!this.#accept('smhdw')) return false;
      this.#accept('s');
    }
    if (!/\w/.test(this.#text[this.at] ?? '')) return true;
    this.at++;
    return false;
  }

  #is(characters: string): boolean {
    return !this.#atEnd() && characters.includes(this.#text[this.at]!);
  }

  #accept(characters: string): boolean {
    const accepted = this.#is(characters);
    if (accepted) this.at++;
    return accepted;
  }

  #atEnd(): boolean {
    return this.at >= this.#text.length;
  }
}
