import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseRuleDuration } from '../../src/rules/duration.ts';
import { fingerprint } from '../../src/rules/fingerprint.ts';

test('durations are read as Prometheus reads them', () => {
  const cases: Record<string, number | undefined> = {
    '0': 0,
    '0s': 0,
    '5m': 300_000,
    '1h30m': 5_400_000,
    '1y2w3d4h5m6s7ms': 33_019_506_007,
    '100ms': 100,
    '': undefined,
    '5': undefined,
    '-5m': undefined,
    '1m1h': undefined,
    '1.5m': undefined,
    ' 1m': undefined,
    '1m1m': undefined,
    '300y': undefined,
  };
  for (const [text, ms] of Object.entries(cases)) assert.equal(parseRuleDuration(text), ms, text);
});

test('fingerprints are those of prometheus/common', () => {
  // From its model/signature_test.go.
  assert.equal(fingerprint({}), 14695981039346656037n.toString(16));
  assert.equal(
    fingerprint({ name: 'garland, briggs', fear: 'love is not enough' }),
    5799056148416392346n.toString(16).padStart(16, '0'),
  );
});
