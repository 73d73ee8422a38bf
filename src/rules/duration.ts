/** Largest duration that Prometheus holds (int64 nanoseconds), in ms. */
const MAX_MS = 9223372036854;

const UNITS_MS = { y: 31536000000, w: 604800000, d: 86400000, h: 3600000, m: 60000, s: 1000, ms: 1 } as const;
const UNIT_NAMES = Object.keys(UNITS_MS) as (keyof typeof UNITS_MS)[];

/** Each unit at most once, from large to small (source: prometheus/common model.ParseDuration). */
const SHAPE = /^(?:(\d+)y)?(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?(?:(\d+)ms)?$/;

/** A Prometheus duration such as `1h30m` or `0` in ms; undefined when the text is none or is out of range. */
export function parseDuration(text: string): number | undefined {
  if (text === '0') return 0;
  const match = text === '' ? null : SHAPE.exec(text);
  if (match === null) return undefined;
  let total = 0;
  UNIT_NAMES.forEach((unit, at) => {
    total += Number(match[at + 1] ?? 0) * UNITS_MS[unit];
  });
  return total <= MAX_MS ? total : undefined;
}

/** The shortest text that {@link parseDuration} reads back: `90000` gives `1m30s`. */
export function formatDuration(ms: number): string {
  let rest = Math.round(ms);
  if (rest === 0) return '0s';
  let text = '';
  for (const unit of UNIT_NAMES) {
    const exact = unit === 'y' || unit === 'w';
    if (exact && rest % UNITS_MS[unit] !== 0) continue;
    const count = Math.floor(rest / UNITS_MS[unit]);
    if (count > 0) text += `${count}${unit}`;
    rest -= count * UNITS_MS[unit];
  }
  return text;
}
