const UNITS_MS = { y: 31536000000, w: 604800000, d: 86400000, h: 3600000, m: 60000, s: 1000, ms: 1 } as const;

/** Each unit at most once, from large to small (source: prometheus/common model.ParseDuration). */
const DURATION = /^(?:(\d+)y)?(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+)s)?(?:(\d+)ms)?$/;

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

/** A duration in ms as Prometheus prints it: years, weeks only where nothing is left over (source: model.Duration.String). */
export function formatDuration(ms: number): string {
  let rest = Math.trunc(ms);
  let text = '';
  for (const [unit, size] of Object.entries(UNITS_MS)) {
    if ((unit === 'y' || unit === 'w') && rest % size !== 0) continue;
    const count = Math.floor(rest / size);
    if (count > 0) text += `${count}${unit}`;
    rest -= count * size;
  }
  return text === '' ? '0s' : text;
}
