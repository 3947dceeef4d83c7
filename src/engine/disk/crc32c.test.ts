import assert from 'node:assert/strict';
import { test } from 'node:test';
import { crc32c } from '@node-rs/crc32';
import fc from 'fast-check';
import { crc32cOf } from './crc32c.ts';

test('the check value of CRC-32C', () => {
  assert.equal(crc32cOf(Buffer.from('123456789'), 0, 9), 0xe3069283);
});

test('every part of any bytes has the sum that native code gives', () => {
  const input = fc.tuple(fc.uint8Array({ maxLength: 1200 }), fc.nat(40), fc.nat(40), fc.nat(0xffffffff));
  fc.assert(
    fc.property(input, ([bytes, front, back, seed]) => {
      const from = Math.min(front, bytes.length);
      const to = Math.max(from, bytes.length - back);
      assert.equal(crc32cOf(bytes, from, to, seed), crc32c(bytes.subarray(from, to), seed));
    }),
  );
});
