import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { columnText, fromColumnText, parseBody, writeBody } from './body.ts';

// UTF-16 units of every kind, with those that are escaped far more often than chance would have them.
const unit = fc.oneof(fc.constantFrom('\0', '\ud83d', '\ude00', '\uffff', '0', 'd'), fc.string({ unit: 'binary' }));
const text = fc.array(unit).map((units) => units.join(''));

test('column text: well-formed, without NUL, and back to the same text', () => {
  fc.assert(
    fc.property(text, (original) => {
      const column = columnText(original);
      assert.ok(column.isWellFormed() && !column.includes('\0'));
      assert.equal(fromColumnText(column), original);
    }),
  );
});

test('bodies: plain text for the database, and back to the same fields', () => {
  fc.assert(
    fc.property(fc.dictionary(text, text), (fields) => {
      const body = writeBody(fields);
      assert.ok(body.isWellFormed() && !body.includes('\0'));
      assert.deepEqual(parseBody(body), JSON.parse(JSON.stringify(fields)));
    }),
  );
});
