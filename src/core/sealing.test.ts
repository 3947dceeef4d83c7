import assert from 'node:assert/strict';
import { createSecretKey, randomBytes } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { createSealer } from './sealing.ts';
import { isSelfChecking, LETTERS_AND_DIGITS, makeSelfChecking, randomText, UPPER_AND_DIGITS } from './self-checking.ts';

const entropy = { bytes: (size: number) => randomBytes(size) };
const keyOf = (byte: number, size = 32) => createSecretKey(Buffer.alloc(size, byte));
const sealer = createSealer(keyOf(1), entropy);

test('K-07 sealed values: every byte string comes back, never twice the same sealed form', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.array(fc.string()), (plain, context) => {
      const first = sealer.seal(plain, context);
      assert.notDeepEqual(first, sealer.seal(plain, context));
      assert.deepEqual(Uint8Array.from(sealer.open(first, context)), plain);
    }),
  );
});

test('K-07 sealed values: another master key, another record, a changed or cut value do not open', () => {
  const sealed = sealer.seal(Buffer.from('secret'), ['access-key', 'org', 'id']);
  const refused = { code: 'data-damaged' };
  assert.throws(() => createSealer(keyOf(2), entropy).open(sealed, ['access-key', 'org', 'id']), refused);
  assert.throws(() => sealer.open(sealed, ['access-key', 'org', 'other']), refused);
  assert.throws(() => sealer.open(sealed, ['access-key', 'orgi', 'd']), refused);
  for (let index = 0; index < sealed.length; index += 1) {
    const changed = Uint8Array.from(sealed);
    changed[index] = (changed[index] ?? 0) ^ 1;
    assert.throws(() => sealer.open(changed, ['access-key', 'org', 'id']), refused);
    assert.throws(() => sealer.open(sealed.subarray(0, index), ['access-key', 'org', 'id']), refused);
  }
});

test('K-07 keyed hashes differ by label and by master key, and a short master key is refused', () => {
  const hash = sealer.keyedHash('api-token', 'text');
  assert.equal(hash.length, 32);
  assert.deepEqual(hash, sealer.keyedHash('api-token', 'text'));
  assert.notDeepEqual(hash, sealer.keyedHash('proof', 'text'));
  assert.notDeepEqual(hash, createSealer(keyOf(2), entropy).keyedHash('api-token', 'text'));
  assert.throws(() => createSealer(keyOf(1, 16), entropy), { code: 'invalid' });
});

test('random text takes no byte that would favour a character', () => {
  // 252…255 would make 0, 1, 2, 3 likelier in base 36.
  let turn = 0;
  const biased = { bytes: (size: number) => new Uint8Array(size).fill(turn++ % 2 === 0 ? 254 : 35) };
  assert.equal(randomText(biased, UPPER_AND_DIGITS, 4), 'ZZZZ');
});

test('self-checking texts: any one changed character is noticed', () => {
  const format = { prefix: 'xx', alphabet: LETTERS_AND_DIGITS, randomLength: 20, checkLength: 6 };
  const text = makeSelfChecking(format, entropy);
  assert.ok(isSelfChecking(format, text));
  for (let index = 0; index < text.length; index += 1) {
    for (const other of LETTERS_AND_DIGITS) {
      if (other === text[index]) continue;
      assert.ok(!isSelfChecking(format, text.slice(0, index) + other + text.slice(index + 1)));
    }
  }
  assert.ok(!isSelfChecking(format, `${text}0`));
  assert.ok(!isSelfChecking(format, text.slice(0, -1)));
});
