/** What a request is answered with. */
export interface Answer {
  readonly status: number;
  readonly type: string;
  /** The body, in parts that are sent one after the other. */
  readonly body: readonly string[];
  readonly headers?: Readonly<Record<string, string>>;
}

/** Kinds of errors as Prometheus names them, with its status codes; the last ones are ours. */
const STATUS = {
  bad_data: 400,
  execution: 422,
  timeout: 503,
  canceled: 499,
  internal: 500,
  unavailable: 503,
  not_found: 404,
  unauthorized: 401,
  forbidden: 403,
  method_not_allowed: 405,
  too_large: 413,
} as const;

export type ErrorType = keyof typeof STATUS;

/** What ends a request with an error that its sender is told. */
export class ApiError extends Error {
  readonly type: ErrorType;
  readonly headers: Readonly<Record<string, string>>;

  constructor(type: ErrorType, message: string, headers: Readonly<Record<string, string>> = {}) {
    super(message);
    this.type = type;
    this.headers = headers;
  }
}

const JSON_TYPE = 'application/json';

export function text(body: string, type = 'text/plain; charset=utf-8'): Answer {
  return { status: 200, type, body: [body] };
}

/** Prometheus's envelope around data that is JSON already. */
export function success(data: readonly string[], warnings: readonly string[] = []): Answer {
  const end = warnings.length === 0 ? '}' : `,"warnings":${JSON.stringify(warnings)}}`;
  return { status: 200, type: JSON_TYPE, body: ['{"status":"success","data":', ...data, end] };
}

export function failure({ type, message, headers }: ApiError): Answer {
  const body = JSON.stringify({ status: 'error', errorType: type, error: message });
  return { status: STATUS[type], type: JSON_TYPE, body: [body], headers };
}
