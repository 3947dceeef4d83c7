import assert from 'node:assert/strict';
import { test } from 'node:test';
import { collectPair, parseBytes, parseCount, parseDuration, parseExpiry, parseSwitch } from './arguments.ts';

test('durations', () => {
  assert.deepEqual(['3600', '90s', '15m', '12h', '30d'].map(parseDuration), [3600, 90, 900, 43_200, 2_592_000]);
  for (const text of ['', '-1', '1.5h', '1w', 'h', '1e3', ' 5']) assert.throws(() => parseDuration(text), text);
});

test('expiries', () => {
  assert.deepEqual(parseExpiry('never'), {});
  assert.deepEqual(parseExpiry('8h'), { afterSeconds: 28_800 });
  assert.deepEqual(parseExpiry('2027-01-31T12:00:00Z'), { at: Date.UTC(2027, 0, 31, 12) });
  assert.deepEqual(parseExpiry('2027-01-31T12:00:00+02:00'), { at: Date.UTC(2027, 0, 31, 10) });
  assert.deepEqual(parseExpiry('2027-01-31'), { at: Date.UTC(2027, 0, 31) });
  for (const text of ['tomorrow', '2027-13-01', '2027-01-31T12:00:00']) assert.throws(() => parseExpiry(text));
});

test('switches, sizes, counts, pairs', () => {
  assert.deepEqual([parseSwitch('on'), parseSwitch('off')], [true, false]);
  assert.throws(() => parseSwitch('true'));
  assert.deepEqual(['0', '5 KiB', '1TiB', '10B'].map(parseBytes), [0n, 5120n, 1n << 40n, 10n]);
  for (const text of ['', '1GB', '-1', '1.5GiB', '99999999999999999PiB']) assert.throws(() => parseBytes(text), text);
  assert.deepEqual(['0', '4294967295'].map(parseCount), [0, 4_294_967_295]);
  for (const text of ['4294967296', '-1', '', '1.0']) assert.throws(() => parseCount(text), text);
  assert.deepEqual(collectPair('a=b=c', { x: 'y' }), { x: 'y', a: 'b=c' });
  for (const text of ['a', '=b', '']) assert.throws(() => collectPair(text), text);
});
