import { BREAKER_OUTCOMES, BREAKER_STATES, type BreakerRow } from '../bridge/protocol.ts';
import type { Registry } from '../store/registry.ts';

/** What has changed about circuit breakers → series; all begin at 0 with the breaker. */
export function countBreaker(registry: Registry, row: BreakerRow): void {
  const attributes = { 'circuit_breaker.name': row.name, 'circuit_breaker.group': row.group };
  for (const [index, state] of BREAKER_STATES.entries()) {
    const series = { ...attributes, 'circuit_breaker.state': state };
    registry.add('task.circuit_breaker.state', series, row.states[index] ?? 0);
  }
  for (const [index, outcome] of BREAKER_OUTCOMES.entries()) {
    const series = { ...attributes, 'circuit_breaker.outcome': outcome };
    registry.add('task.circuit_breaker.calls', series, row.calls[index] ?? 0);
  }
  registry.add('task.circuit_breaker.openings', attributes, row.openings);
  registry.add('task.circuit_breaker.fallbacks', attributes, row.fallbacks);
}
