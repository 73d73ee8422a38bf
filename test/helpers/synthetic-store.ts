import { Scraper } from '../../src/agent/scrape.ts';
import type { Labels } from '../../src/model/labels.ts';
import { Registry } from '../../src/store/registry.ts';
import { SeriesStore } from '../../src/store/series-store.ts';
import { advance } from './synthetic.ts';

export interface SyntheticRun {
  /** Times of the first and the last tick, ms since the Unix epoch. */
  readonly start: number;
  readonly end: number;
  readonly stepMs: number;
  /** What the agent's store holds of it, `job` and `instance` attached, and one alert. */
  readonly store: SeriesStore;
}

/** An alert that fires all the time, by its labels in Prometheus. */
export const ALERT: Labels = {
  alertname: 'TaskBlocksEventLoop',
  severity: 'critical',
  task_name: 'task.name-a',
};

/**
 * Every metric of the table for `ticks` steps that end at `end`, as the agent keeps it; `onTick` sees the registry after each
 * step, at the time (ms) that its values are of.
 */
export async function syntheticRun(
  target: Labels,
  end: number,
  ticks: number,
  stepMs: number,
  onTick: (registry: Registry, time: number) => Promise<void> = async () => {},
): Promise<SyntheticRun> {
  const start = end - (ticks - 1) * stepMs;
  const registry = new Registry(start - stepMs, { maxSeriesPerMetric: 2000 });
  const store = new SeriesStore({ maxSeries: 20_000, maxTicks: ticks });
  const scraper = new Scraper(registry, store, target);
  for (let tick = 0; tick < ticks; tick++) {
    const time = start + tick * stepMs;
    advance(registry, tick);
    scraper.scrape(time);
    store.append(time, [
      { labels: { __name__: 'ALERTS', ...target, ...ALERT, alertstate: 'firing' }, value: 1 },
      { labels: { __name__: 'ALERTS_FOR_STATE', ...target, ...ALERT }, value: start / 1000 },
    ]);
    await onTick(registry, time);
  }
  return { start, end, stepMs, store };
}
