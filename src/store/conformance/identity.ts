import assert from 'node:assert/strict';
import { ALL, apiToken, bytes, fails, ids, organization, STRANGE_TEXTS, type StoreTest, user } from './samples.ts';

export function identityTests(check: StoreTest): void {
  organizationTests(check);
  userTests(check);
  tokenTests(check);
  check('meta: set replaces, get answers the bytes', async (store) => {
    assert.equal(await store.meta.get('probe'), undefined);
    await store.meta.set('probe', bytes(1));
    await store.meta.set('probe', bytes(2));
    await store.meta.set('other', new Uint8Array());
    assert.deepEqual(await store.meta.get('probe'), bytes(2));
    assert.deepEqual(await store.meta.get('other'), new Uint8Array());
  });
  check('ping answers', (store) => store.ping());
}

function organizationTests(check: StoreTest): void {
  check('organizations: what was never set stays absent', async (store) => {
    const full = organization('b', {
      settings: { controlPlaneAuditLoggingEnabled: false, bucketAuditLoggingEnabled: true },
      entitlements: { archive: { daysMin: 30 } },
    });
    const bare = organization('a');
    for (const record of [full, bare]) await store.organizations.insert(record);
    assert.deepEqual(await store.organizations.find('b'), full);
    assert.deepEqual(await store.organizations.find('a'), bare);
    assert.equal(await store.organizations.find('c'), undefined);
  });
  check('organizations: ids are unique, replacing needs one', async (store) => {
    await store.organizations.insert(organization('a'));
    await fails('exists', store.organizations.insert(organization('a', { name: 'other' })));
    await fails('not-found', store.organizations.replace(organization('b')));
    const changed = organization('a', { name: 'new' });
    await store.organizations.replace(changed);
    assert.deepEqual(await store.organizations.find('a'), changed);
  });
  check('organizations: listed in order of id, byte by byte, in pages', async (store) => {
    for (const id of ['b', 'B', 'a', 'é', 'a-']) await store.organizations.insert(organization(id));
    assert.deepEqual(ids(await store.organizations.list(ALL)), ['B', 'a', 'a-', 'b', 'é']);
    assert.deepEqual(ids(await store.organizations.list({ offset: 1, limit: 2 })), ['a', 'a-']);
    assert.deepEqual(ids(await store.organizations.list({ offset: 5, limit: 2 })), []);
  });
}

function userTests(check: StoreTest): void {
  check('users: found by id and name, within the organization only', async (store) => {
    const record = user('u1', { roles: ['iam-admin', 'platform-admin'], groups: ['ops', 'dev'], active: false });
    await store.users.insert(record);
    assert.deepEqual(await store.users.find('org-a', 'u1'), record);
    assert.deepEqual(await store.users.findByName('org-a', record.name), record);
    assert.equal(await store.users.findByName('org-a', record.name.toUpperCase()), undefined);
    assert.equal(await store.users.find('org-b', 'u1'), undefined);
    assert.equal(await store.users.findByName('org-b', record.name), undefined);
    assert.deepEqual(await store.users.list('org-b', ALL), []);
    await fails('not-found', store.users.replace({ ...record, orgId: 'org-b' }));
    assert.equal(await store.users.remove('org-b', 'u1'), false);
    assert.deepEqual(await store.users.find('org-a', 'u1'), record);
  });
  check('users: ids are unique everywhere, names within an organization', async (store) => {
    await store.users.insert(user('u1', { name: 'kim' }));
    await fails('exists', store.users.insert(user('u2', { name: 'kim' })));
    await fails('exists', store.users.insert(user('u1', { name: 'lee', orgId: 'org-b' })));
    await store.users.insert(user('u2', { name: 'kim', orgId: 'org-b' }));
    await store.users.insert(user('u3', { name: 'Kim' }));
    await fails('exists', store.users.replace(user('u3', { name: 'kim' })));
    await store.users.replace(user('u3', { name: 'ann' }));
    assert.deepEqual((await store.users.list('org-a', ALL)).map(({ name }) => name).sort(), ['ann', 'kim']);
    assert.equal((await store.users.list('org-a', { offset: 1, limit: 5 })).length, 1);
  });
  check('users: a removed one is gone and its name free', async (store) => {
    await store.users.insert(user('u1', { name: 'kim' }));
    assert.equal(await store.users.remove('org-a', 'u1'), true);
    assert.equal(await store.users.remove('org-a', 'u1'), false);
    assert.equal(await store.users.find('org-a', 'u1'), undefined);
    await store.users.insert(user('u2', { name: 'kim' }));
  });
  check('users: any text as name comes back as it was', async (store) => {
    for (const [index, name] of STRANGE_TEXTS.entries()) {
      const record = user(`u${index}`, { name, displayName: name, groups: [name] });
      await store.users.insert(record);
      assert.deepEqual(await store.users.findByName('org-a', name), record);
    }
    assert.equal((await store.users.list('org-a', ALL)).length, STRANGE_TEXTS.length);
    await fails('invalid', store.users.insert(user('long', { name: 'x'.repeat(2049) })));
    assert.equal(await store.users.findByName('org-a', 'x'.repeat(100_000)), undefined);
  });
}

function tokenTests(check: StoreTest): void {
  check('api tokens: found by hash anywhere, by id within the organization', async (store) => {
    const full = apiToken('t1', 1, { note: 'n', expiresAt: 5000, lastUsedAt: 3000 });
    const bare = apiToken('t2', 2);
    for (const record of [full, bare]) await store.apiTokens.insert(record);
    assert.deepEqual(await store.apiTokens.findByHash(bytes(1)), full);
    assert.deepEqual(await store.apiTokens.find('org-a', 't2'), bare);
    assert.equal(await store.apiTokens.findByHash(bytes(3)), undefined);
    assert.equal(await store.apiTokens.find('org-b', 't1'), undefined);
    assert.equal(await store.apiTokens.remove('org-b', 't1'), false);
    await fails('exists', store.apiTokens.insert(apiToken('t1', 9)));
    await fails('exists', store.apiTokens.insert(apiToken('t9', 1)));
    assert.equal(await store.apiTokens.remove('org-a', 't1'), true);
    assert.equal(await store.apiTokens.findByHash(bytes(1)), undefined);
  });
  check('api tokens: touched, and touching an unknown one is nothing', async (store) => {
    await store.apiTokens.insert(apiToken('t1', 1));
    await store.apiTokens.touch('t1', 7000);
    await store.apiTokens.touch('t0', 7000);
    assert.deepEqual(await store.apiTokens.find('org-a', 't1'), apiToken('t1', 1, { lastUsedAt: 7000 }));
  });
  check('api tokens: newest first, of one user or all, in pages', async (store) => {
    for (let seed = 1; seed <= 5; seed += 1) {
      await store.apiTokens.insert(apiToken(`t${seed}`, seed, { userId: seed % 2 ? 'odd' : 'even' }));
    }
    await store.apiTokens.insert(apiToken('other', 6, { orgId: 'org-b', userId: 'odd' }));
    assert.deepEqual(ids(await store.apiTokens.list('org-a', {}, ALL)), ['t5', 't4', 't3', 't2', 't1']);
    assert.deepEqual(ids(await store.apiTokens.list('org-a', { userId: 'odd' }, { offset: 1, limit: 1 })), ['t3']);
    assert.equal(await store.apiTokens.removeByUser('org-a', 'odd'), 3);
    assert.equal(await store.apiTokens.removeByUser('org-a', 'odd'), 0);
    assert.deepEqual(ids(await store.apiTokens.list('org-a', {}, ALL)), ['t4', 't2']);
    assert.deepEqual(ids(await store.apiTokens.list('org-b', {}, ALL)), ['other']);
  });
}
