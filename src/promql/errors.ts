import { type Position, TaskwardenError } from '../model/errors.ts';

/** A text in double quotes as Go's %q writes it. */
export { quoteGo as quote } from './strings.ts';

/** The line and column, counted from 1, of an offset into a text. */
function positionAt(text: string, offset: number): Position {
  const before = text.slice(0, offset);
  const lineStart = before.lastIndexOf('\n') + 1;
  return { line: before.split('\n').length, column: offset - lineStart + 1 };
}

/** A mistake in the text of an expression, in the words that Prometheus has for it. */
export function parseError(text: string, offset: number, message: string): TaskwardenError {
  return new TaskwardenError('TASKWARDEN_PROMQL', `parse error: ${message}`, {
    position: positionAt(text, offset),
  });
}

/** A query that is well formed but cannot be answered with the series at hand. */
export function evaluationError(message: string): TaskwardenError {
  return new TaskwardenError('TASKWARDEN_PROMQL', message);
}
