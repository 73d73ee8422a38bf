import { hostname } from 'node:os';
import { SDK_INFO } from '@opentelemetry/core';
import type { Resource } from '@opentelemetry/resources';
import { VERSION } from '../model/package.ts';

/** Names of the semantic conventions where they differ from Node's. */
const ARCH: Readonly<Record<string, string>> = { x64: 'amd64', ia32: 'x86', arm: 'arm32', ppc: 'ppc32' };
const OS: Readonly<Record<string, string>> = { win32: 'windows', sunos: 'solaris' };

export type ResourceAttributes = Readonly<Record<string, string | number>>;

/**
 * What identifies this process in all telemetry, by the resource conventions. `given` are the user's attributes
 * (OTEL_RESOURCE_ATTRIBUTES), which win over what is found out here, except `telemetry.*`; `serviceName`
 * (OTEL_SERVICE_NAME) wins over both. `service.instance.id` is new with every call unless it is given.
 */
export function resourceAttributes(
  serviceName: string | undefined,
  given: ResourceAttributes,
): ResourceAttributes {
  return {
    'service.name': 'unknown_service:node',
    'service.instance.id': given['service.instance.id'] ?? newId(),
    'process.pid': process.pid,
    'process.runtime.name': 'nodejs',
    'process.runtime.version': process.versions.node,
    'host.name': hostname(),
    'host.arch': ARCH[process.arch] ?? process.arch,
    'os.type': OS[process.platform] ?? process.platform,
    ...given,
    ...(serviceName !== undefined && serviceName !== '' && { 'service.name': serviceName }),
    'telemetry.sdk.name': 'opentelemetry',
    'telemetry.sdk.language': 'nodejs',
    'telemetry.sdk.version': SDK_INFO['telemetry.sdk.version'] ?? '',
    'telemetry.distro.name': 'taskwarden',
    'telemetry.distro.version': VERSION,
  };
}

/** The agent of a worker is given its id, and is spared loading `node:crypto`: 0.8 MB. */
function newId(): string {
  return process.getBuiltinModule('node:crypto').randomUUID();
}

/**
 * The resource as the serializers read it, which is nothing but its attributes. OpenTelemetry's own would bring its detectors
 * into the agent's bundle.
 */
export function resourceOf(attributes: ResourceAttributes): Resource {
  const resource: Pick<Resource, 'attributes'> = { attributes: { ...attributes } };
  return resource as Resource;
}
