import assert from 'node:assert/strict';
import { test } from 'node:test';
import { jsonEncoder } from '../../src/otlp/json.ts';
import { logFromRecord } from '../../src/otlp/logs.ts';
import { resourceOf } from '../../src/otlp/resource.ts';
import { logData } from './fixtures.ts';

test('a number that JSON does not have is the text that stands for it', () => {
  const values = {
    nan: Number.NaN,
    most: Number.POSITIVE_INFINITY,
    least: Number.NEGATIVE_INFINITY,
    half: 0.5,
  };
  const record = logFromRecord(logData(1, { attributes: values }), resourceOf({}), { name: 'test' });
  const request = JSON.parse(Buffer.from(jsonEncoder.logs([record])).toString());
  assert.deepEqual(request.resourceLogs[0].scopeLogs[0].logRecords[0].attributes, [
    { key: 'nan', value: { stringValue: 'NaN' } },
    { key: 'most', value: { stringValue: 'Infinity' } },
    { key: 'least', value: { stringValue: '-Infinity' } },
    { key: 'half', value: { doubleValue: 0.5 } },
  ]);
});
