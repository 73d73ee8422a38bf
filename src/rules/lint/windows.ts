import { formatDuration } from '../../model/duration.ts';
import type { LintedRule } from './context.ts';
import { metricOf } from './result-labels.ts';
import { walk } from './walk.ts';

/** A range is open at its left end and samples come late: four steps leave two samples even then. */
const STEPS = 4;

export function lintWindows({ node, series, options, report, at }: LintedRule): void {
  for (const item of walk(node)) {
    if (item.kind !== 'matrix') continue;
    const step = series.step(metricOf(item.selector) ?? '', options.stepMs);
    if (item.range >= STEPS * step) continue;
    const [range, each, least] = [item.range, step, STEPS * step].map(formatDuration);
    const message = `the range of ${range} is shorter than ${STEPS} × the step of ${each}: let it be ${least} or more`;
    report('window', message, at(item.start));
  }
}
