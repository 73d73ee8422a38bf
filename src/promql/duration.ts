const UNITS_MS = { y: 31536000000, w: 604800000, d: 86400000, h: 3600000, m: 60000, s: 1000, ms: 1 } as const;

/** Each unit at most once, from large to small (source: prometheus/common model.ParseDuration). */
export const DURATION =
  /^(?:(\d+)y)?(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+)s)?(?:(\d+)ms)?$/;

/** Largest duration that Prometheus holds (int64 nanoseconds), in ms. */
const MAX_MS = 9223372036854;

/** A duration such as `1h30m` in ms; undefined when the text is none or is out of range. */
export function parseDuration(text: string): number | undefined {
  const match = text === '' ? null : DURATION.exec(text);
  if (match === null) return undefined;
  let total = 0;
  Object.values(UNITS_MS).forEach((unit, at) => {
    total += Number(match[at + 1] ?? 0) * unit;
  });
  return total <= MAX_MS ? total : undefined;
}

/** The shortest text that {@link parseDuration} reads back: 90000 gives `1m30s`. */
export function formatDuration(ms: number): string {
  let rest = Math.abs(Math.round(ms));
  if (rest === 0) return '0s';
  let text = ms < 0 ? '-' : '';
  for (const [name, unit] of Object.entries(UNITS_MS)) {
    // Years and weeks are written only when nothing remains: 400d is not 1y35d.
    if ((name === 'y' || name === 'w') && rest % unit !== 0) continue;
    const count = Math.floor(rest / unit);
    if (count > 0) text += `${count}${name}`;
    rest -= count * unit;
  }
  return text;
}
