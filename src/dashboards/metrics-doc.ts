import { ALERT_SERIES, METRICS, type MetricDefinition } from '../model/metrics.ts';
import { prometheusLabel, prometheusName } from '../model/prometheus-name.ts';
import { eventChapter } from './event-doc.ts';
import { spanChapter } from './span-doc.ts';

/** Which metrics make a chapter, by the longest prefix that fits. */
const GROUPS: readonly { title: string; prefixes: readonly string[] }[] = [
  { title: 'Handler runs', prefixes: ['messaging.', 'task.'] },
  { title: 'Queues', prefixes: ['queue.'] },
  { title: 'Worker process', prefixes: ['process.'] },
  { title: 'Node.js and V8', prefixes: ['nodejs.', 'v8js.', 'taskwarden.worker.'] },
  { title: 'Container', prefixes: ['container.', 'taskwarden.container.'] },
  { title: 'Host', prefixes: ['system.'] },
  { title: 'Taskwarden itself', prefixes: ['taskwarden.'] },
];

const INTRODUCTION = `# Metrics, alerts and spans

Generated from \`src/model/metrics.ts\` by \`npm run generate\`: edit the table there, not this page.

Names with dots are OpenTelemetry's, as the OTLP export carries them. Rules, dashboards and the query API see
Prometheus's translation of them (\`UnderscoreEscapingWithSuffixes\`, the default of Prometheus), the same in the worker as in
a Prometheus behind the collector. A histogram has the three series \`_bucket\` (with the label \`le\`), \`_sum\` and
\`_count\`. Attributes become labels with dots replaced by underscores, as the second name shows where they differ.

Every series also has \`job\` (\`service.namespace/service.name\`, or the name alone) and \`instance\`
(\`service.instance.id\`). Everything cumulative counts from the start of the worker; the temporality is always cumulative.
Counters of the process, its container, the machine and Redis are as they are there, and have no start time in OTLP.
A metric that cannot be had on a machine is absent: unknown is never 0.
Gauges, and what the system counts, are of the last step (\`store.step\`, 5 s), also in an export or a scrape between two; the export at the end of the
process is of that moment.

One metric holds at most 2,000 series, and 10 for each of \`max_tasks\` where that is more. What comes after is added up in one series with the attribute
\`otel.metric.overflow="true"\`.

"Source" tells who named the metric: **semconv** is an OpenTelemetry semantic convention, **own** is Taskwarden.
`;

const ALERTS_TEXT: Readonly<Record<(typeof ALERT_SERIES)[number], string>> = {
  ALERTS: '1 while an alert is pending or firing; labels alertname, alertstate and those of the alert.',
  ALERTS_FOR_STATE:
    'When the alert became active, seconds since the Unix epoch; the same labels less alertstate.',
};

/** The text of docs/metrics.md. Throws when a metric belongs to no chapter. */
export function metricsDocument(metrics: Readonly<Record<string, MetricDefinition>> = METRICS): string {
  const chapters = new Map(GROUPS.map(({ title }) => [title, [] as string[]]));
  for (const name of Object.keys(metrics)) chapters.get(group(name))!.push(name);
  const parts = [INTRODUCTION];
  for (const [title, names] of chapters) {
    if (names.length > 0) parts.push(chapter(title, names, metrics));
  }
  parts.push(alerts(), eventChapter(), spanChapter());
  return parts.join('\n');
}

function group(name: string): string {
  let best = { title: '', length: 0 };
  for (const { title, prefixes } of GROUPS) {
    for (const prefix of prefixes) {
      if (name.startsWith(prefix) && prefix.length > best.length) best = { title, length: prefix.length };
    }
  }
  if (best.length === 0) throw new Error(`metric ${name} belongs to no chapter of docs/metrics.md`);
  return best.title;
}

function chapter(
  title: string,
  names: readonly string[],
  metrics: Readonly<Record<string, MetricDefinition>>,
): string {
  const rows = names.map((name) => row(name, metrics[name]!));
  const bounds = names.filter((name) => metrics[name]!.buckets !== undefined);
  const buckets = bounds.map((name) => `- \`${name}\`: ${metrics[name]!.buckets!.join(', ')}`);
  return [
    `## ${title}\n`,
    '| OpenTelemetry name | Prometheus name | Kind | Unit | Attributes | Source | Description | Quality |',
    '| --- | --- | --- | --- | --- | --- | --- | --- |',
    ...rows,
    '',
    ...(buckets.length > 0 ? ['Upper bounds of the buckets:\n', ...buckets, ''] : []),
  ].join('\n');
}

function row(name: string, definition: MetricDefinition): string {
  const { unit, kind, attributes, optional = [] } = definition;
  const labels = attributes.map((attribute) => {
    const label = prometheusLabel(attribute);
    const both = label === attribute ? `\`${attribute}\`` : `\`${attribute}\` (\`${label}\`)`;
    return optional.includes(attribute) ? `${both}, optional` : both;
  });
  const cells = [
    `\`${name}\``,
    `\`${prometheusName(name, unit, kind)}\``,
    kind,
    unit === '' ? '' : `\`${unit}\``,
    labels.join('<br>'),
    definition.source === 'taskwarden' ? 'own' : definition.source,
    definition.description,
    definition.quality,
  ];
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
}

function alerts(): string {
  return [
    '## Alerts\n',
    "Made by the rule engine, in Prometheus's own names, and exported as gauges without a unit.\n",
    '| Name | Meaning |',
    '| --- | --- |',
    ...ALERT_SERIES.map((name) => `| \`${name}\` | ${ALERTS_TEXT[name]} |`),
    '',
  ].join('\n');
}
