import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

/** The committed dashboard files, as far as tests look into them. */

export interface Target {
  readonly refId: string;
  readonly expr: string;
  readonly interval?: string;
  readonly datasource?: { type: string; uid: string };
  readonly instant?: boolean;
}

export interface Panel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly description?: string;
  readonly datasource?: { type: string; uid: string };
  readonly gridPos: { x: number; y: number; w: number; h: number };
  readonly targets?: readonly Target[];
  readonly fieldConfig?: { defaults: { unit?: string } };
}

export interface Variable {
  readonly name: string;
  readonly type: string;
  readonly label: string;
  readonly multi: boolean;
  readonly includeAll: boolean;
  readonly allValue?: string;
  readonly refresh?: number;
  readonly datasource?: { type: string; uid: string };
  readonly query: string | { query: string };
}

export interface DashboardJson {
  readonly uid: string;
  readonly title: string;
  readonly editable: boolean;
  readonly schemaVersion: number;
  readonly templating: { list: readonly Variable[] };
  readonly annotations: { list: readonly { name: string; expr: string; datasource: { uid: string } }[] };
  readonly panels: readonly Panel[];
}

const FOLDER = resolve(import.meta.dirname, '../../dashboards');

export function dashboards(): Map<string, DashboardJson> {
  const files = readdirSync(FOLDER).filter((file) => file.endsWith('.json'));
  return new Map(files.map((file) => [file, JSON.parse(readFileSync(join(FOLDER, file), 'utf8'))]));
}

/** Panels that show something: all but row headings. */
export function panelsOf(dashboard: DashboardJson): readonly Panel[] {
  return dashboard.panels.filter((panel) => panel.type !== 'row');
}

/** Every query of every panel, with words that lead to it. */
export function* targets(): Generator<{ where: string; uid: string; panel: Panel; target: Target }> {
  for (const [file, dashboard] of dashboards()) {
    for (const panel of panelsOf(dashboard)) {
      for (const target of panel.targets ?? [])
        yield { where: `${file}: "${panel.title}" ${target.refId}`, uid: dashboard.uid, panel, target };
    }
  }
}

/** An expression as Grafana sends it when every variable stands at "All". */
export function bound(expr: string, rateInterval = '1m'): string {
  return expr.replaceAll('$__rate_interval', rateInterval).replaceAll(/\$(job|instance|queue|task)\b/g, '.+');
}

/** Metric selectors of an expression: name and label names of its matchers. */
export function selectors(expr: string): { name: string; labels: string[]; matchers: string }[] {
  return [...expr.matchAll(/([A-Za-z_:][\w:]*)\{([^}]*)\}/g)].map((match) => ({
    name: match[1]!,
    matchers: match[2]!,
    labels: [...match[2]!.matchAll(/([A-Za-z_]\w*)\s*(?:=~|!~|!=|=)/g)].map((label) => label[1]!),
  }));
}
