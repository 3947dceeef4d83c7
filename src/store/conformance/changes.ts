import assert from 'node:assert/strict';
import { setImmediate as turn } from 'node:timers/promises';
import type { ChangeRecord, ControlStore } from '../store.ts';
import { accessKey, apiToken, bytes, fails, organization, policy, type StoreTest, told, user } from './samples.ts';

/** Every call that changes something others may have cached, and what they have to hear. */
const CHANGES: readonly (readonly [(store: ControlStore) => Promise<unknown>, readonly string[]])[] = [
  [(s) => s.organizations.insert(organization('org-a')), ['organization org-a org-a']],
  [(s) => s.organizations.replace(organization('org-a')), ['organization org-a org-a']],
  [(s) => s.users.insert(user('u1')), ['user org-a u1']],
  [(s) => s.users.replace(user('u1')), ['user org-a u1']],
  [(s) => s.users.remove('org-a', 'u1'), ['user org-a u1']],
  [(s) => s.users.remove('org-a', 'u1'), []],
  [(s) => s.apiTokens.insert(apiToken('t1', 1)), ['api-token org-a t1']],
  [(s) => s.apiTokens.insert(apiToken('t2', 2)), ['api-token org-a t2']],
  [(s) => s.apiTokens.touch('t1', 5), []],
  [(s) => s.apiTokens.remove('org-a', 't1'), ['api-token org-a t1']],
  [(s) => s.apiTokens.removeByUser('org-a', 'user-1'), ['api-token org-a t2']],
  [(s) => s.accessKeys.insert(accessKey('CW1')), ['access-key org-a CW1']],
  [(s) => s.accessKeys.insert(accessKey('CW2')), ['access-key org-a CW2']],
  [(s) => s.accessKeys.revoke('org-a', 'CW2', 1), ['access-key org-a CW2']],
  [(s) => s.accessKeys.revoke('org-a', 'CW2', 1), []],
  [
    (s) => s.accessKeys.setStatusByPrincipal('org-a', 'coreweave/user-1', 'suspended'),
    ['access-key org-a CW1', 'principal org-a coreweave/user-1'],
  ],
  [(s) => s.accessKeys.setPrincipalSuspended('org-a', 'role/r', true), ['principal org-a role/r']],
  [
    (s) => s.accessKeys.revokeByPrincipal('org-a', 'coreweave/user-1', 1),
    ['access-key org-a CW1', 'principal org-a coreweave/user-1'],
  ],
  [
    async (s) => {
      await s.accessKeys.insert(accessKey('CW3', { apiTokenId: 't3', expiresAt: 9 }));
      await s.accessKeys.revokeTemporaryByToken('org-a', 't3', 1);
    },
    ['access-key org-a CW3', 'access-key org-a CW3'],
  ],
  [(s) => s.accessKeys.purge(10, 10), []],
  [(s) => s.policies.ensure(policy('p')), ['policy org-a p']],
  [(s) => s.policies.remove('org-a', 'p'), ['policy org-a p']],
  [
    (s) => s.bucketPolicies.ensure({ bucketId: 'b', orgId: 'org-a', document: '', updatedAt: 1 }),
    ['bucket-policy org-a b'],
  ],
  [(s) => s.bucketPolicies.remove('org-a', 'b'), ['bucket-policy org-a b']],
  [(s) => s.bucketSettings.ensure({ bucketId: 'b', orgId: 'org-a' }), []],
  [(s) => s.meta.set('m', bytes(1)), []],
];

export function changeTests(check: StoreTest): void {
  check('changes: each write leaves its records and is heard before it resolves (K-01)', async (store) => {
    const heard: ChangeRecord[] = [];
    store.subscribe((change) => heard.push(change));
    for (const [write, expected] of CHANGES) {
      const before = await store.changeHead();
      heard.length = 0;
      await write(store);
      assert.deepEqual(told(heard), expected, write.toString());
      assert.deepEqual(await store.changesAfter(before, 100), heard);
      assert.equal(await store.changeHead(), heard.at(-1)?.sequence ?? before);
    }
  });
  check('changes: numbered in order, read in pages', async (store) => {
    assert.equal(await store.changeHead(), 0);
    for (const name of ['a', 'b', 'c', 'd']) await store.policies.ensure(policy(name));
    const all = await store.changesAfter(0, 100);
    assert.deepEqual(
      told(all),
      ['a', 'b', 'c', 'd'].map((name) => `policy org-a ${name}`),
    );
    assert.ok(all.every(({ sequence }, index) => sequence > (all[index - 1]?.sequence ?? 0)));
    const page = await store.changesAfter(all[0]!.sequence, 2);
    assert.deepEqual(page, all.slice(1, 3));
    assert.deepEqual(await store.changesAfter(all[3]!.sequence, 2), []);
  });
  check('changes: of a transaction all after the commit, of a failed one none', async (store) => {
    const heard: ChangeRecord[] = [];
    // The listener must find the committed state: caches read the store when they hear.
    const found: Promise<unknown>[] = [];
    const end = store.subscribe((change) => {
      heard.push(change);
      found.push(store.policies.find(change.orgId, change.id));
    });
    await store.transact(async (records) => {
      await records.policies.ensure(policy('a'));
      await records.policies.ensure(policy('b'));
      assert.deepEqual(heard, []);
    });
    assert.deepEqual(told(heard), ['policy org-a a', 'policy org-a b']);
    assert.deepEqual(await Promise.all(found), [policy('a'), policy('b')]);
    const head = await store.changeHead();
    const refused = store.transact(async (records) => {
      await records.policies.ensure(policy('c'));
      await records.policies.ensure(policy('d', { name: 'x'.repeat(5000) }));
    });
    await fails('invalid', refused);
    end();
    await store.policies.ensure(policy('e'));
    assert.equal(heard.length, 2);
    assert.deepEqual(told(await store.changesAfter(head, 10)), ['policy org-a e']);
  });
  check('changes: more than one statement can hold', async (store) => {
    await store.transact(async (records) => {
      for (let index = 0; index < 1200; index += 1) await records.accessKeys.insert(accessKey(`CW${index}`));
    });
    const before = await store.changeHead();
    assert.equal((await store.accessKeys.revokeByPrincipal('org-a', 'coreweave/user-1', 5)).length, 1200);
    assert.equal((await store.changesAfter(before, 5000)).length, 1201);
  });
  check('changes: a reader that follows the head misses none of concurrent writers', async (store) => {
    const seen: number[] = [];
    let writing = true;
    const follow = async () => {
      while (writing) {
        const page = await store.changesAfter(seen.at(-1) ?? 0, 1000);
        seen.push(...page.map(({ sequence }) => sequence));
        await turn();
      }
    };
    const following = follow();
    await Promise.all(
      Array.from({ length: 8 }, async (_, writer) => {
        for (let index = 0; index < 20; index += 1) await store.policies.ensure(policy(`p${writer}-${index}`));
      }),
    );
    writing = false;
    await following;
    seen.push(...(await store.changesAfter(seen.at(-1) ?? 0, 1000)).map(({ sequence }) => sequence));
    assert.deepEqual(
      seen,
      (await store.changesAfter(0, 1000)).map(({ sequence }) => sequence),
    );
    assert.equal(seen.length, 160);
  });
}
