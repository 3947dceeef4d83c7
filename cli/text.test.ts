import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { bytesText, fields, jsonText, printable, table } from './text.ts';

test('nothing from a server can move the cursor, colour the terminal or reorder the line', () => {
  assert.equal(printable('a\u001b[2Jb'), 'a\\u001b[2Jb');
  assert.equal(printable('x\r\ny\u009b31m'), 'x\\u000d\\u000ay\\u009b31m');
  assert.equal(printable('invoice\u202egpj.exe'), 'invoice\\u202egpj.exe');
  assert.equal(printable('zero\u200bwidth\ufeff'), 'zero\\u200bwidth\\ufeff');
  assert.equal(printable('Müller 東京 🙂'), 'Müller 東京 🙂');
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      assert.doesNotMatch(printable(text), /[\p{Cc}\u202a-\u202e\u2066-\u2069\u200e\u200f\u061c]/u);
    }),
  );
});

test('JSON output is the same data, without a character that acts on a terminal', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const text = jsonText(value);
      assert.deepEqual(JSON.parse(text), JSON.parse(JSON.stringify(value)));
      assert.doesNotMatch(text.replaceAll('\n', ''), /[\p{Cc}\u202a-\u202e\u2066-\u2069]/u);
    }),
  );
  assert.equal(jsonText({ a: '\u202e\u009b' }), '{\n  "a": "\\u202e\\u009b"\n}\n');
});

test('tables align and keep a row on its line', () => {
  assert.equal(
    table(
      ['id', 'name'],
      [
        ['a', 'x\ny'],
        ['long-id', 'b'],
      ],
      'none',
    ),
    'ID       NAME\na        x\\u000ay\nlong-id  b\n',
  );
  assert.equal(table(['id'], [], 'No keys.'), 'No keys.\n');
  assert.equal(
    fields([
      ['A', '1'],
      ['Bcd', ''],
    ]),
    'A    1\nBcd\n',
  );
});

test('sizes', () => {
  assert.deepEqual([0, 1023, 1024, 1536, 1024 ** 3, 1024 ** 6].map(bytesText), [
    '0 B',
    '1023 B',
    '1 KiB',
    '1.5 KiB',
    '1 GiB',
    '1024 PiB',
  ]);
});
