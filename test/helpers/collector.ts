import { resolve } from 'node:path';
import { freePort } from './free-port.ts';
import { type ServerProcess, startServer } from './server-process.ts';

const FILE = resolve(import.meta.dirname, '../../otel-collector.yaml');

export interface Collector extends ServerProcess {
  /** Base URL of OTLP over HTTP. */
  readonly http: string;
  /** `host:port` of OTLP over gRPC. */
  readonly grpc: string;
}

/** Starts a collector with otel-collector.yaml on free ports; `env` sets what the file leaves to the environment. */
export async function startCollector(
  binary: string,
  env: Readonly<Record<string, string>> = {},
): Promise<Collector> {
  const http = `127.0.0.1:${await freePort()}`;
  const grpc = `127.0.0.1:${await freePort()}`;
  // The collector's own metrics would take port 8888.
  const quiet = '--set=service::telemetry::metrics::level=none';
  const server = startServer(binary, [`--config=${FILE}`, quiet], {
    OTLP_HTTP_LISTEN: http,
    OTLP_GRPC_LISTEN: grpc,
    ...env,
  });
  await server.until('ready', () => server.output().includes('Everything is ready'));
  return { ...server, http: `http://${http}`, grpc };
}
