import assert from 'node:assert/strict';
import type { BucketSettingsRecord } from '../store.ts';
import { fails, policy, STRANGE_TEXTS, type StoreTest } from './samples.ts';

export function policyTests(check: StoreTest): void {
  check('policies: replaced by name, the time of creation stays', async (store) => {
    await store.policies.ensure(policy('p'));
    await store.policies.ensure(policy('p', { document: '{"new":1}', createdAt: 5000, updatedAt: 5000 }));
    await store.policies.ensure(policy('p', { orgId: 'org-b' }));
    const expected = policy('p', { document: '{"new":1}', createdAt: 1000, updatedAt: 5000 });
    assert.deepEqual(await store.policies.find('org-a', 'p'), expected);
    assert.deepEqual(await store.policies.find('org-b', 'p'), policy('p', { orgId: 'org-b' }));
    assert.equal(await store.policies.find('org-a', 'P'), undefined);
  });
  check('policies: listed by name, byte by byte; removed within the organization', async (store) => {
    for (const name of ['b', 'a', 'B', 'a-1']) await store.policies.ensure(policy(name));
    await store.policies.ensure(policy('z', { orgId: 'org-b' }));
    const names = async () => (await store.policies.list('org-a')).map(({ name }) => name);
    assert.deepEqual(await names(), ['B', 'a', 'a-1', 'b']);
    assert.equal(await store.policies.remove('org-b', 'a'), false);
    assert.equal(await store.policies.remove('org-a', 'a'), true);
    assert.equal(await store.policies.remove('org-a', 'a'), false);
    assert.deepEqual(await names(), ['B', 'a-1', 'b']);
  });
  check('bucket policies: the text as it was sent, one for each bucket', async (store) => {
    for (const [index, document] of [...STRANGE_TEXTS, ' {"a" : 1.0}\n', 'x'.repeat(20_480)].entries()) {
      const record = { bucketId: `b${index}`, orgId: 'org-a', document, updatedAt: index };
      await store.bucketPolicies.ensure({ ...record, document: 'before' });
      await store.bucketPolicies.ensure(record);
      assert.deepEqual(await store.bucketPolicies.find(record.bucketId), record);
    }
    await fails(
      'not-found',
      store.bucketPolicies.ensure({ bucketId: 'b1', orgId: 'org-b', document: 'mine', updatedAt: 1 }),
    );
    assert.equal(await store.bucketPolicies.remove('org-b', 'b1'), false);
    assert.equal((await store.bucketPolicies.find('b1'))?.document, STRANGE_TEXTS[1]);
    assert.equal(await store.bucketPolicies.remove('org-a', 'b1'), true);
    assert.equal(await store.bucketPolicies.find('b1'), undefined);
  });
  check('bucket settings: 64-bit caps, false is not absent', async (store) => {
    const records: BucketSettingsRecord[] = [
      { bucketId: 'b1', orgId: 'org-a' },
      { bucketId: 'b2', orgId: 'org-a', capacityCapBytes: 2n ** 63n - 1n, archiveAfterLastAccessDays: 0 },
      { bucketId: 'b3', orgId: 'org-a', capacityCapBytes: 0n, auditLoggingEnabled: false, archiveEnabled: true },
    ];
    for (const record of records) await store.bucketSettings.ensure(record);
    for (const record of records) assert.deepEqual(await store.bucketSettings.find(record.bucketId), record);
    await store.bucketSettings.ensure({ bucketId: 'b3', orgId: 'org-a' });
    assert.deepEqual(await store.bucketSettings.find('b3'), { bucketId: 'b3', orgId: 'org-a' });
    await fails('not-found', store.bucketSettings.ensure({ bucketId: 'b2', orgId: 'org-b' }));
    assert.equal(await store.bucketSettings.remove('org-b', 'b2'), false);
    assert.equal(await store.bucketSettings.remove('org-a', 'b2'), true);
    assert.equal(await store.bucketSettings.find('b2'), undefined);
  });
}
