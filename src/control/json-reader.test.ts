import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Failure } from '../core/index.ts';
import { readJson } from './json-reader.ts';

const bytes = (text: string) => new TextEncoder().encode(text);
const refused = (text: string | Uint8Array) =>
  assert.throws(
    () => readJson(typeof text === 'string' ? bytes(text) : text),
    (error) => error instanceof Failure && error.code === 'invalid',
    String(text).slice(0, 60),
  );

/** JSON values without fractions, large numbers and banned names. */
const values = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    fc.constant(null),
    fc.boolean(),
    fc.maxSafeInteger(),
    fc.string({ unit: 'grapheme' }),
    fc.array(tie('value')),
    fc.dictionary(fc.string(), tie('value')),
  ),
})).value;

test('P-09 JSON reader: agrees with JSON.parse on every value it accepts', () => {
  fc.assert(
    fc.property(values, fc.constantFrom(undefined, 1, '\t'), (value, indent) => {
      const text = JSON.stringify(value, undefined, indent);
      if (/"(?:__proto__|constructor|prototype)":/.test(text)) return;
      assert.equal(JSON.stringify(readJson(bytes(text))), JSON.stringify(JSON.parse(text)));
    }),
  );
});

test('P-09 JSON reader: never accepts what JSON.parse refuses, and never throws anything but a refusal', () => {
  const pieces = fc.constantFrom(
    '{',
    '}',
    '[',
    ']',
    ',',
    ':',
    '"',
    '\\',
    'a',
    '0',
    '1',
    '-',
    '.',
    'e',
    ' ',
    'true',
    'null',
    '\u0001',
    'u12',
  );
  fc.assert(
    fc.property(fc.array(pieces, { maxLength: 12 }), (parts) => {
      const text = parts.join('');
      let accepted = true;
      try {
        readJson(bytes(text));
      } catch (error) {
        assert.ok(error instanceof Failure);
        accepted = false;
      }
      if (accepted) JSON.parse(text);
    }),
    { numRuns: 5000 },
  );
});

test('P-09 JSON reader: depth, trailing text, banned and repeated members, bad UTF-8, half surrogates', () => {
  assert.doesNotThrow(() => readJson(bytes('['.repeat(64) + ']'.repeat(64))));
  refused('['.repeat(66) + ']'.repeat(66));
  refused('['.repeat(500_000));
  for (const text of [
    '{} x',
    '{}{}',
    '',
    ' ',
    '{"a":1,"a":2}',
    '{"__proto__":{"polluted":1}}',
    '{"a":{"constructor":1}}',
    '"\\ud800"',
    "{'a':1}",
    '{"a":1,}',
    '[1,]',
    '\ufeff{}x',
    'NaN',
    '01',
    '+1',
  ])
    refused(text);
  refused(Uint8Array.of(0x22, 0xff, 0x22));
  refused(Uint8Array.of(0x22, 0xc0, 0xaf, 0x22));
  assert.equal(({} as { polluted?: unknown }).polluted, undefined);
});

test('P-10 JSON reader: numbers are whole and below 2^53', () => {
  for (const text of ['1.5', '1e3', '1E0', '0x10', '9007199254740993', '18446744073709551616', '-']) refused(text);
  assert.equal(readJson(bytes('9007199254740991')), Number.MAX_SAFE_INTEGER);
  assert.equal(readJson(bytes('-5')), -5);
});

test('P-09 JSON reader: a megabyte in one string is read without recursion', () => {
  const text = 'x'.repeat(1_000_000);
  assert.equal(readJson(bytes(JSON.stringify(text))), text);
});
