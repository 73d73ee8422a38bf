/** What a command has of the world. */
export interface Io {
  /** Absolute. */
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly out: (line: string) => void;
  readonly err: (line: string) => void;
}

/** What the shell gets: 0 all is well, 1 something was found, 2 the command was used wrongly. */
export type ExitCode = 0 | 1 | 2;

export const FINE = 0;
export const FOUND = 1;
export const WRONG_USE = 2;
