import { DASHBOARDS } from '../../src/dashboards/panels.ts';
import { bound, targets } from './dashboard-json.ts';

/** Targets that a healthy worker may leave without data, by dashboard, panel and letter, with the reason. */
export const EXCUSED = new Map<string, string>(
  DASHBOARDS.flatMap(({ uid, rows }) =>
    rows.flatMap(({ panels }) =>
      panels.flatMap((panel) =>
        panel.targets.flatMap(({ mayBeEmpty }, index): [string, string][] =>
          mayBeEmpty === undefined ? [] : [[`${uid}/${panel.title}/${refId(index)}`, mayBeEmpty]],
        ),
      ),
    ),
  ),
);

function refId(index: number): string {
  return String.fromCharCode(65 + index);
}

/**
 * Runs every query of every committed dashboard with all variables at "All". Gives a line for each that finds nothing although
 * it should. `count` tells how many series an expression has over the time that the data covers, `rateInterval` what
 * Grafana would put for $__rate_interval: at least four times the distance of two samples, `skip` the dashboards left out, by uid.
 */
export async function emptyTargets(
  count: (expr: string) => number | Promise<number>,
  rateInterval = '1m',
  skip: readonly string[] = [],
): Promise<string[]> {
  const empty: string[] = [];
  for (const { where, uid, panel, target } of targets()) {
    if (skip.includes(uid) || EXCUSED.has(`${uid}/${panel.title}/${target.refId}`)) continue;
    const expr = bound(target.expr, rateInterval);
    if ((await count(expr)) === 0) empty.push(`${where}: nothing for ${expr}`);
  }
  return empty;
}
