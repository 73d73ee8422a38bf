/** What became of a copy of a known library. */
export interface Instrumented {
  library: string;
  /** Empty where it is not known. */
  version: string;
  file: string;
  /** `bundled`: within a script of the application's; `unknown files`: loaded, but not from where it is known to be. */
  outcome: 'instrumented' | 'unsupported version' | 'failed' | 'bundled' | 'unknown files';
}
