import type { ActiveAlert } from '../model/alert.ts';
import type { RuleGroupView, RuleView } from '../rules/view.ts';
import { type Answer, success } from './answer.ts';
import { exponential } from './json.ts';
import { invalid, type Parameters } from './parameters.ts';

/** Go's zero time, which Prometheus gives for what has not happened yet. */
const NEVER = '0001-01-01T00:00:00Z';

/** `/api/v1/rules` */
export function rules(parameters: Parameters, groups: readonly RuleGroupView[]): Answer {
  const type = parameters.get('type').toLowerCase();
  if (!['', 'alert', 'record'].includes(type)) invalid('type', `not supported value ${JSON.stringify(type)}`);
  const [names, groupNames, files] = ['rule_name[]', 'rule_group[]', 'file[]'].map((name) => {
    const wanted = new Set(parameters.all(name));
    return (value: string): boolean => wanted.size === 0 || wanted.has(value);
  });
  const withoutAlerts = isTrue(parameters, 'exclude_alerts');
  const shown = groups
    .filter(({ name, file }) => groupNames!(name) && files!(file))
    .map((group) => ({
      name: group.name,
      file: group.file,
      rules: group.rules
        .filter((rule) => (type === '' || rule.kind === type) && names!(rule.name))
        .map((rule) => (rule.kind === 'alert' ? alertingRule(rule, withoutAlerts) : recordingRule(rule))),
      interval: group.intervalMs / 1000,
      limit: group.limit,
      evaluationTime: group.evaluationTime,
      lastEvaluation: time(group.lastEvaluation),
    }));
  const isFiltered = type !== '' || parameters.all('rule_name[]').length > 0;
  const some = isFiltered ? shown.filter((group) => group.rules.length > 0) : shown;
  return success([JSON.stringify({ groups: some })]);
}

/** `/api/v1/alerts` */
export function alerts(groups: readonly RuleGroupView[]): Answer {
  const all = groups.flatMap((group) => group.rules.flatMap((rule) => rule.alerts.map(alert)));
  return success([JSON.stringify({ alerts: all })]);
}

function alertingRule(rule: RuleView, withoutAlerts: boolean) {
  return {
    state: rule.state,
    name: rule.name,
    query: rule.query,
    duration: rule.durationMs / 1000,
    keepFiringFor: rule.keepFiringForMs / 1000,
    labels: rule.labels,
    annotations: rule.annotations,
    alerts: withoutAlerts ? [] : rule.alerts.map(alert),
    ...evaluation(rule),
    type: 'alerting',
  };
}

function recordingRule(rule: RuleView) {
  const { name, query, labels } = rule;
  return { name, query, labels, ...evaluation(rule), type: 'recording' };
}

function evaluation({ health, lastError, evaluationTime, lastEvaluation }: RuleView) {
  return {
    health,
    ...(lastError !== '' && { lastError }),
    evaluationTime,
    lastEvaluation: time(lastEvaluation),
  };
}

function alert({ labels, annotations, state, activeAt, value }: ActiveAlert) {
  return { labels, annotations, state, activeAt: time(activeAt), value: exponential(value) };
}

function time(ms: number | undefined): string {
  return ms === undefined ? NEVER : new Date(ms).toISOString();
}

function isTrue(parameters: Parameters, name: string): boolean {
  const raw = parameters.get(name);
  if (['', '0', 'f', 'F', 'false', 'FALSE', 'False'].includes(raw)) return false;
  if (['1', 't', 'T', 'true', 'TRUE', 'True'].includes(raw)) return true;
  return invalid(name, `cannot parse ${JSON.stringify(raw)} to a truth value`);
}
