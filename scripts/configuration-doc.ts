import { DEFAULTS, keysOf, OPTIONS, variableOf } from '../src/config/options.ts';
import { formatDuration } from '../src/model/duration.ts';

/** docs/configuration.md, made from the table of options. */
export function configurationDocument(): string {
  const rows = Object.entries(OPTIONS).map(([path, { kind, about }]) =>
    [`\`${path}\``, `\`${variableOf(path)}\``, show(path, defaultOf(path)), kind.allowed, about]
      .map((cell) => cell.replaceAll('|', '\\|'))
      .join(' | '),
  );
  const { metricExportInterval, metricExportTimeout } = DEFAULTS.otel;
  return `# Configuration

<!-- Made from src/config/options.ts by \`npm run generate\`. -->

Defaults, then \`taskwarden.yaml\` in the working directory (or the file that \`TASKWARDEN_CONFIG\` names), then environment variables, which
win. An unknown option or a value that is not allowed is an error before any job runs. \`taskwarden doctor\` shows what is in force.

\`\`\`yaml
# taskwarden.yaml
rules: [alerts/*.yaml]
watch:
  threshold: 500ms
\`\`\`

In \`NODE_OPTIONS\` the preload reaches every Node.js process, npm among them. In npm, npx, pnpm, yarn and corepack themselves, as their main script tells, and in the
command \`taskwarden\` it does nothing: the worker that they start has the port of \`http\` and the name of the service to itself.

| key | variable | default | allowed | |
|---|---|---|---|---|
${rows.map((row) => `| ${row} |`).join('\n')}

## OpenTelemetry's own variables

\`OTEL_SERVICE_NAME\`, \`OTEL_RESOURCE_ATTRIBUTES\`, \`OTEL_SDK_DISABLED\`, \`OTEL_TRACES_EXPORTER\`, \`OTEL_METRICS_EXPORTER\`, \`OTEL_LOGS_EXPORTER\`
(\`otlp\`, \`console\`, \`none\`), \`OTEL_TRACES_SAMPLER\` and \`OTEL_TRACES_SAMPLER_ARG\`, \`OTEL_EXPORTER_OTLP_*\` (endpoint, protocol, headers, timeout,
compression, certificates; also for one signal) mean what they mean to the OpenTelemetry SDK. \`OTEL_METRIC_EXPORT_INTERVAL\` is
${metricExportInterval} ms where it is not set, \`OTEL_METRIC_EXPORT_TIMEOUT\` ${metricExportTimeout} ms. A value that is not allowed is told and ignored, as the
specification asks.
`;
}

function defaultOf(path: string): unknown {
  let value: unknown = DEFAULTS;
  for (const key of keysOf(path)) value = (value as Record<string, unknown>)[key];
  return value;
}

/** Durations are kept in ms and written as in the file. */
function show(path: string, value: unknown): string {
  if (value === '') return 'none';
  if (typeof value === 'object') return Object.keys(value ?? {}).length === 0 ? 'none' : String(value);
  return `\`${OPTIONS[path]!.kind.type === 'duration' ? formatDuration(Number(value)) : value}\``;
}
