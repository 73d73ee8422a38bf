export function report(event: string, fields?: Readonly<Record<string, unknown>>): void;
/** Ms since the epoch, with a fraction. */
export function now(): number;
export const connection: { readonly host: string; readonly port: number };
