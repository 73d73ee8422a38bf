/** Every error that Taskwarden raises for a user's mistake, by its stable code. */
export const ERROR_CODES = {
  TASKWARDEN_CONFIG: 'An option has an unknown name, a wrong type or a value that is not allowed.',
  TASKWARDEN_FILE: 'A file that the configuration names cannot be read.',
  TASKWARDEN_YAML: 'A YAML file is malformed, or is not shaped as its format asks.',
  TASKWARDEN_PROMQL: 'A PromQL expression is malformed or ill-typed.',
  TASKWARDEN_RULE: 'A rule is well-formed YAML but cannot be used.',
  TASKWARDEN_NODE: 'Node.js is of a version that lacks what is needed.',
  TASKWARDEN_MEMORY: 'The process may not have the address space that the agent thread takes.',
  TASKWARDEN_PATCH: 'A library function cannot be replaced, or is replaced already.',
} as const;

export type ErrorCode = keyof typeof ERROR_CODES;

/** A position in a text, both counted from 1. */
export interface Position {
  line: number;
  column: number;
}

export interface TaskwardenErrorOptions extends ErrorOptions {
  /** File name that is shown before the position. */
  file?: string;
  position?: Position;
}

/** A user's mistake. Its message reads `file:line:column: what is wrong` as far as these are known. */
export class TaskwardenError extends Error {
  override readonly name = 'TaskwardenError';
  readonly code: ErrorCode;
  readonly file: string | undefined;
  readonly position: Position | undefined;

  constructor(code: ErrorCode, message: string, options: TaskwardenErrorOptions = {}) {
    const { file, position, ...rest } = options;
    const place = [file, position?.line, position?.column].filter((part) => part !== undefined).join(':');
    super(place === '' ? message : `${place}: ${message}`, rest);
    this.code = code;
    this.file = file;
    this.position = position;
  }
}
