import {
  LegendDisplayMode,
  LegendPlacement,
  SortOrder,
  StackingConfigBuilder,
  StackingMode,
  TooltipDisplayMode,
  VizLegendOptionsBuilder,
  VizTooltipOptionsBuilder,
} from '@grafana/grafana-foundation-sdk/common';
import {
  AnnotationQueryBuilder,
  CustomVariableBuilder,
  type Dashboard,
  DashboardBuilder,
  DashboardCursorSync,
  DashboardLinkBuilder,
  DashboardLinkType,
  DatasourceVariableBuilder,
  QueryVariableBuilder,
  RowBuilder,
  VariableRefresh,
  VariableSort,
} from '@grafana/grafana-foundation-sdk/dashboard';
import { DataqueryBuilder, PromQueryFormat } from '@grafana/grafana-foundation-sdk/prometheus';
import { PanelBuilder as TableBuilder } from '@grafana/grafana-foundation-sdk/table';
import { PanelBuilder as TimeSeriesBuilder } from '@grafana/grafana-foundation-sdk/timeseries';
import { DEFAULTS } from '../config/options.ts';
import { METRICS, type MetricName } from '../model/metrics.ts';
import { prometheusName } from '../model/prometheus-name.ts';
import { firing } from './queries.ts';
import type { DashboardSpec, PanelSpec, TargetSpec } from './spec.ts';

/**
 * Specification → Grafana's classic dashboard schema, which every Grafana in use loads and newer ones migrate on load.
 * The result is the same for the same input.
 */

const DATASOURCE = { type: 'prometheus', uid: '$datasource' };
/** What the workers do unless they are told otherwise. */
const EXPORT_INTERVAL = `${DEFAULTS.otel.metricExportInterval / 1000}s`;
/** Labels that a table leaves out: they are the same in every row, or say nothing to a reader. */
const HIDDEN = ['Time', '__name__', 'alertstate'];

export function dashboard(spec: DashboardSpec): Dashboard {
  const builder = new DashboardBuilder(spec.title)
    .uid(spec.uid)
    .description(spec.description)
    .tags(['taskwarden'])
    .readonly()
    .tooltip(DashboardCursorSync.Crosshair)
    .time({ from: 'now-1h', to: 'now' })
    .refresh('30s')
    .timezone('browser')
    .link(
      new DashboardLinkBuilder('Taskwarden')
        .type(DashboardLinkType.Dashboards)
        .tags(['taskwarden'])
        .keepTime(true)
        .includeVars(true),
    )
    .annotation(
      new AnnotationQueryBuilder()
        .name('Alerts')
        .datasource(DATASOURCE)
        .enable(true)
        .iconColor('red')
        .expr(firing(...spec.variables))
        .titleFormat('{{alertname}}')
        .textFormat('{{messaging_destination_name}} {{task_name}} {{instance}}'),
    );
  for (const variable of variables(spec)) builder.withVariable(variable);
  for (const row of spec.rows) {
    builder.withRow(new RowBuilder(row.title));
    for (const panel of row.panels) builder.withPanel(panelOf(panel));
  }
  return numbered(builder.build());
}

/** The SDK leaves ids out; Grafana would hand out new ones on each load, and links to a panel would break. */
function numbered(built: Dashboard): Dashboard {
  built.panels?.forEach((panel, index) => {
    panel.id = index + 1;
  });
  return built;
}

function* variables(spec: DashboardSpec) {
  yield new DatasourceVariableBuilder('datasource').label('Data source').type('prometheus');
  yield choice('job', 'Job', 'label_values(taskwarden_series, job)');
  yield choice('instance', 'Instance', 'label_values(taskwarden_series{job=~"$job"}, instance)');
  const { watched } = spec;
  const [queues, tasks] = (
    watched === undefined ? (['task.runs', 'task.runs'] as const) : (['queue.depth', 'task.active'] as const)
  ).map(prometheusNameOf);
  const selected = [
    'job=~"$job", instance=~"$instance"',
    ...(watched === undefined ? [] : [`messaging_system="${watched}"`]),
  ].join(', ');
  if (spec.variables.includes('queue'))
    yield choice('queue', 'Queue', `label_values(${queues}{${selected}}, messaging_destination_name)`);
  if (spec.variables.includes('task'))
    yield choice(
      'task',
      'Task',
      `label_values(${tasks}{${selected}, messaging_destination_name=~"$queue"}, task_name)`,
    );
  // A range shorter than two exports has no rate. Grafana makes $__rate_interval four times the least step.
  yield new CustomVariableBuilder('step')
    .label('Export interval')
    .description('How often the workers export metrics: what OTEL_METRIC_EXPORT_INTERVAL says.')
    .values('1s,5s,10s,15s,30s,1m')
    .current({ text: EXPORT_INTERVAL, value: EXPORT_INTERVAL, selected: true });
}

function choice(name: string, label: string, query: string): QueryVariableBuilder {
  return new QueryVariableBuilder(name)
    .label(label)
    .datasource(DATASOURCE)
    .query({ query, refId: name })
    .definition(query)
    .refresh(VariableRefresh.OnTimeRangeChanged)
    .sort(VariableSort.NaturalAsc)
    .multi(true)
    .includeAll(true)
    .allValue('.+')
    .current({ text: 'All', value: '$__all', selected: true });
}

function panelOf(spec: PanelSpec): TimeSeriesBuilder | TableBuilder {
  return spec.kind === 'table' ? table(spec) : timeSeries(spec);
}

function timeSeries(spec: PanelSpec): TimeSeriesBuilder {
  const panel = new TimeSeriesBuilder()
    .title(spec.title)
    .description(spec.description)
    .datasource(DATASOURCE)
    .unit(spec.unit)
    .span(spec.width ?? 8)
    .height(8)
    .lineWidth(1)
    .fillOpacity(spec.stacked ? 30 : 8)
    .legend(
      new VizLegendOptionsBuilder()
        .displayMode(LegendDisplayMode.Table)
        .placement(LegendPlacement.Bottom)
        .showLegend(true)
        .calcs(['lastNotNull', 'max']),
    )
    .tooltip(new VizTooltipOptionsBuilder().mode(TooltipDisplayMode.Multi).sort(SortOrder.Descending));
  if (!spec.signed) panel.min(0);
  if (spec.max !== undefined) panel.max(spec.max);
  if (spec.stacked) panel.stacking(new StackingConfigBuilder().mode(StackingMode.Normal));
  spec.targets.forEach((target, index) => {
    panel.withTarget(query(target, index).legendFormat(target.legend).range());
  });
  return panel;
}

function table(spec: PanelSpec): TableBuilder {
  const panel = new TableBuilder()
    .title(spec.title)
    .description(spec.description)
    .datasource(DATASOURCE)
    .unit(spec.unit)
    .span(spec.width ?? 8)
    .height(8)
    .filterable(true);
  const only = spec.targets.length === 1;
  const hidden = [...HIDDEN];
  const names: Record<string, string> = {
    messaging_destination_name: 'Queue',
    task_name: 'Task',
    redis_instance: 'Redis',
    host_name: 'Host',
    process_pid: 'Process',
  };
  spec.targets.forEach((target, index) => {
    panel.withTarget(query(target, index).format(PromQueryFormat.Table).instant());
    const column = only ? 'Value' : `Value #${refId(index)}`;
    if (target.unit === 'hidden') hidden.push(column);
    else {
      names[column] = target.legend;
      if (target.unit !== undefined)
        panel.overrideByName(target.legend, [{ id: 'unit', value: target.unit }]);
    }
  });
  return panel.withTransformation({ id: 'merge', options: {} }).withTransformation({
    id: 'organize',
    options: { excludeByName: Object.fromEntries(hidden.map((name) => [name, true])), renameByName: names },
  });
}

function query(target: TargetSpec, index: number): DataqueryBuilder {
  return new DataqueryBuilder()
    .datasource(DATASOURCE)
    .expr(target.expr)
    .refId(refId(index))
    .interval('$step');
}

function refId(index: number): string {
  return String.fromCharCode(65 + index);
}

function prometheusNameOf(name: MetricName): string {
  return prometheusName(name, METRICS[name].unit, METRICS[name].kind);
}

/** The text of a dashboard file. */
export function dashboardJson(spec: DashboardSpec): string {
  return `${JSON.stringify(dashboard(spec), null, 2)}\n`;
}
