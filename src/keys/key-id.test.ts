import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isAccessKeyId, isSecretKey, looksLikeAccessKeyId, makeAccessKeyId, makeSecretKey } from './key-id.ts';
import { seededEntropy } from './test-support.ts';

test('key ids and secrets have the form of the contract and check themselves', () => {
  const entropy = seededEntropy('ids');
  const seen = new Set<string>();
  for (let turn = 0; turn < 500; turn += 1) {
    const id = makeAccessKeyId(entropy);
    const secret = makeSecretKey(entropy);
    assert.match(id, /^CW[0-9A-Z]{14}$/);
    assert.match(secret, /^cwo[0-9A-Za-z]{40}$/);
    assert.ok(isAccessKeyId(id) && isSecretKey(secret) && looksLikeAccessKeyId(id));
    seen.add(id).add(secret);
  }
  assert.equal(seen.size, 1000);
});

test('the examples of docs/reference/key-format.md hold, other texts do not', () => {
  assert.ok(isAccessKeyId('CW9WJ4K2PHOP0IEJ'));
  assert.ok(isSecretKey('cwoSYius2aWz1S0ujdWBu1pnBYiglcowaqHqR0Reug8'));
  for (const text of ['', 'CW', 'AKIAIOSFODNN7EXAMPLE', 'CWQRSTUVWXYZABCD', 'cwQRSTUVWXYZABCD']) {
    assert.ok(!isAccessKeyId(text));
    assert.ok(!isSecretKey(text));
  }
});
