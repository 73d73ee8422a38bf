import type { Position } from '../../model/errors.ts';
import type { Mismatch } from './compare.ts';

/** What one file of tests came to. */
export interface RuleTestOutcome {
  readonly file: string;
  /** Alert and expression cases that were compared. */
  readonly cases: number;
  /** Of the file itself and of all its tests. */
  readonly failures: readonly RuleTestFailure[];
  /** Each test that was run. */
  readonly tests: readonly TestOutcome[];
  /** Rule files that are named and do not exist, by path or pattern. */
  readonly unmatched: readonly string[];
}

export interface TestOutcome {
  /** `unnamed#2` for the third test of a file when it has no name. */
  readonly name: string;
  readonly cases: number;
  readonly failures: readonly RuleTestFailure[];
}

export interface RuleTestFailure {
  /** Where in the file of tests, as far as that is known. */
  readonly position: Position | undefined;
  /** In the words and the layout of promtool. */
  readonly message: string;
  /** What a case expected and got, and what it was about: the beginning of `message`. */
  readonly mismatch?: Mismatch & { readonly about: string };
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
