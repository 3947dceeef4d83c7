import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { refused } from '../conformance/subject.ts';
import { HashPool } from './hash-pool.ts';

test('D-06 a hash thread that ends fails the bodies it had, also between two blocks; the next body gets another', async () => {
  const pool = new HashPool(1);
  const memory = new SharedArrayBuffer(1000);
  const waiting = pool.begin();
  await waiting.update(memory, 1000);
  // More than there is: the thread throws.
  await refused(pool.begin().update(memory, 2000), 'internal');
  await refused(waiting.update(memory, 1000), 'internal');
  await refused(waiting.digest(), 'internal');
  waiting.drop();
  const next = pool.begin();
  await next.update(memory, 1000);
  assert.deepEqual(Buffer.from(await next.digest()), createHash('md5').update(Buffer.alloc(1000)).digest());
  await pool.close();
});
