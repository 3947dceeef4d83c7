import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { createEvents, safeLogLine } from './index.ts';

test('K-13 an event stays one harmless line, whatever strangers call their keys and programs', () => {
  let written = '';
  const write = (line: string) => {
    written += line;
  };
  const log = pino({ level: 'debug', hooks: { streamWrite: safeLogLine } }, { write });
  const hostile = 'a\nb\r\u001b[31m\u009b31m\u202egpj\u2066\u2028\u2029\u0085\u200f"\\u007f\u007f';
  createEvents(log, new Registry()).s3Request({
    requestId: 'R1',
    operation: 'PutObject',
    status: 200,
    caller: { kind: 'anonymous' },
    bucket: 'lab',
    key: hostile,
    sourceAddress: hostile,
    userAgent: hostile,
    bytesIn: 0,
    bytesOut: 0,
    durationMs: 1,
  });
  assert.match(written, /^[ -~]+\n$/);
  const event = JSON.parse(written);
  assert.deepEqual([event.key, event.userAgent, event.sourceAddress], [hostile, hostile, hostile]);
});
