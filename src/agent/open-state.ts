import type { Config } from '../config/config.ts';
import { stateFolder } from '../config/state-dir.ts';
import type { ResourceAttributes } from '../otlp/resource.ts';
import { fingerprint } from '../rules/fingerprint.ts';
import { commandLine, isRunning, ownProcess } from './process-id.ts';
import { RuleState } from './rule-state.ts';

/**
 * Where the alerts of this process outlive it; undefined where the configuration wants none. Its successor is the process of the
 * same service on the same host with the same command line and folder: the same `service.instance.id` where the user gives one, the same
 * instance number where pm2 does.
 */
export function openRuleState(config: Config, resource: ResourceAttributes): RuleState | undefined {
  const folder = stateFolder(config);
  if (folder === undefined) return undefined;
  const key = fingerprint({
    namespace: String(resource['service.namespace'] ?? ''),
    service: String(resource['service.name']),
    instance: String(
      config.otel.resourceAttributes['service.instance.id'] ?? config.env.NODE_APP_INSTANCE ?? '',
    ),
    host: String(resource['host.name']),
    command: commandLine(),
    cwd: config.cwd,
  });
  return new RuleState({ folder, key, self: ownProcess(), isRunning });
}
