import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after } from 'node:test';
import { createHostCollector } from '../../src/host/collector.ts';
import type { Labels } from '../../src/model/labels.ts';
import type { MetricName } from '../../src/model/metrics.ts';
import { Registry } from '../../src/store/registry.ts';

const roots: string[] = [];
after(() => {
  for (const root of roots) rmSync(root, { recursive: true });
});

/** A machine made of files below a temporary root, a registry and the collector between them. */
export function machine(files: Record<string, string>) {
  const root = mkdtempSync(join(tmpdir(), 'taskwarden-host-'));
  roots.push(root);
  const write = (path: string, text: string): void => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  };
  for (const [path, text] of Object.entries(files)) write(path, text);
  const registry = new Registry(0, { maxSeriesPerMetric: 100 });
  const collector = createHostCollector({ registry, root });
  return {
    write,
    remove: (path: string) => rmSync(join(root, path), { recursive: true }),
    collector,
    registry,
    /** The value of a series; undefined when it is absent. */
    value: (name: MetricName, attributes: Labels = {}) => seriesValue(registry, name, attributes),
  };
}

export function seriesValue(
  registry: Registry,
  name: MetricName,
  attributes: Labels = {},
): number | undefined {
  for (const metric of registry.metrics()) {
    if (metric.name !== name) continue;
    for (const point of metric.points.values())
      if ('value' in point && same(point.attributes, attributes)) return point.value;
  }
  return undefined;
}

function same(a: Labels, b: Labels): boolean {
  const names = Object.keys(a);
  return names.length === Object.keys(b).length && names.every((name) => a[name] === b[name]);
}
