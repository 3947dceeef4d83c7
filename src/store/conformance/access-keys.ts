import assert from 'node:assert/strict';
import type { AccessKeyRecord, ControlStore } from '../store.ts';
import { ALL, accessKey, bytes, fails, ids, STRANGE_TEXTS, type StoreTest } from './samples.ts';

const ALIVE = { aliveAt: 2000 };

async function insertAll(store: ControlStore, records: readonly AccessKeyRecord[]): Promise<void> {
  for (const record of records) await store.accessKeys.insert(record);
}

export function accessKeyTests(check: StoreTest): void {
  recordTests(check);
  listTests(check);
  endTests(check);
  suspensionTests(check);
}

function recordTests(check: StoreTest): void {
  check('access keys: every field comes back, absent ones stay absent', async (store) => {
    const full = accessKey('CWFULL', {
      principal: { kind: 'oidc', issuer: 'https://idp.test', subject: 'a:b' },
      principalName: 'role/https://idp.test:a:b',
      source: 'oidc',
      multiAttributes: { team: ['a', 'b'], none: [] },
      groups: ['g'],
      status: 'suspended',
      expiresAt: 9000,
      revokedAt: 8000,
      proofHash: bytes(3),
      apiTokenId: 'token-1',
    });
    await insertAll(store, [full, accessKey('CWBARE')]);
    assert.deepEqual(await store.accessKeys.find('CWFULL'), full);
    assert.deepEqual(await store.accessKeys.find('CWBARE'), accessKey('CWBARE'));
    assert.equal(await store.accessKeys.find('cwbare'), undefined);
    assert.equal(await store.accessKeys.find('CW\0'), undefined);
    await fails('exists', store.accessKeys.insert(accessKey('CWBARE', { orgId: 'org-b' })));
  });
  check('access keys: attributes of any name and length, __proto__ too', async (store) => {
    const long = 'ä'.repeat(200_000);
    // Entries rather than a literal, in which __proto__ would not be a property.
    const attributes = Object.fromEntries([...STRANGE_TEXTS.map((text) => [text, text]), ['long', long]]);
    const multiAttributes = Object.fromEntries([
      ['__proto__', ['x']],
      ...STRANGE_TEXTS.slice(0, 3).map((t) => [t, [t]]),
    ]);
    await store.accessKeys.insert(accessKey('CW1', { attributes, multiAttributes }));
    const found = await store.accessKeys.find('CW1');
    assert.deepEqual(Object.entries(found!.attributes).sort(), Object.entries(attributes).sort());
    assert.deepEqual(Object.entries(found!.multiAttributes).sort(), Object.entries(multiAttributes).sort());
    assert.ok(Object.hasOwn(found!.attributes, '__proto__'));
  });
  check('access keys: found by proof, the one that lives longest, unless revoked', async (store) => {
    const proofHash = bytes(4);
    await insertAll(store, [
      accessKey('CW1', { proofHash, expiresAt: 5000 }),
      accessKey('CW2', { proofHash, expiresAt: 9000 }),
      accessKey('CW3', { proofHash, expiresAt: 7000 }),
      accessKey('CW4', { proofHash, expiresAt: 99_000, orgId: 'org-b' }),
      accessKey('CW5', { proofHash: bytes(5), expiresAt: 99_000 }),
    ]);
    assert.equal((await store.accessKeys.findByProof('org-a', proofHash))?.id, 'CW2');
    await store.accessKeys.revoke('org-a', 'CW2', 3000);
    assert.equal((await store.accessKeys.findByProof('org-a', proofHash))?.id, 'CW3');
    await store.accessKeys.insert(accessKey('CW6', { proofHash }));
    assert.equal((await store.accessKeys.findByProof('org-a', proofHash))?.id, 'CW6');
    assert.equal(await store.accessKeys.findByProof('org-c', proofHash), undefined);
  });
}

function listTests(check: StoreTest): void {
  check('access keys: listed by creation, then id, in pages that meet', async (store) => {
    const order = ['CWC', 'CWA', 'CWB', 'CWZ', 'CWD'];
    const times = [10, 20, 20, 20, 30];
    for (const index of [3, 0, 4, 2, 1]) {
      await store.accessKeys.insert(accessKey(order[index]!, { createdAt: times[index]! }));
    }
    assert.deepEqual(ids(await store.accessKeys.list('org-a', ALIVE, ALL)), order);
    const pages = [];
    for (const offset of [0, 2, 4, 6])
      pages.push(...(await store.accessKeys.list('org-a', ALIVE, { offset, limit: 2 })));
    assert.deepEqual(ids(pages), order);
  });
  check('access keys: ended ones and those of others are not listed; filters add up', async (store) => {
    const other = { principal: { kind: 'saml', role: 'r' }, principalName: 'role/r' } as const;
    await insertAll(store, [
      accessKey('CW1'),
      accessKey('CW2', { expiresAt: 1999 }),
      accessKey('CW3', { expiresAt: 2001 }),
      accessKey('CW4', { revokedAt: 1500 }),
      accessKey('CW5', { ...other, status: 'suspended' }),
      accessKey('CW6', { status: 'suspended' }),
      accessKey('CW7', { orgId: 'org-b' }),
    ]);
    const listed = async (filter: object) => ids(await store.accessKeys.list('org-a', { ...ALIVE, ...filter }, ALL));
    assert.deepEqual(await listed({}), ['CW1', 'CW3', 'CW5', 'CW6']);
    assert.deepEqual(await listed({ status: 'active' }), ['CW1', 'CW3']);
    assert.deepEqual(await listed({ status: 'suspended' }), ['CW5', 'CW6']);
    assert.deepEqual(await listed({ principalName: 'role/r' }), ['CW5']);
    assert.deepEqual(await listed({ principalName: 'role/r', status: 'active' }), []);
  });
}

function endTests(check: StoreTest): void {
  check('access keys: revoked once, for good, by their own organization only (K-04)', async (store) => {
    await store.accessKeys.insert(accessKey('CW1'));
    assert.equal(await store.accessKeys.revoke('org-b', 'CW1', 3000), false);
    assert.equal(await store.accessKeys.revoke('org-a', 'CW0', 3000), false);
    assert.equal(await store.accessKeys.revoke('org-a', 'CW1', 3000), true);
    assert.equal(await store.accessKeys.revoke('org-a', 'CW1', 4000), false);
    assert.deepEqual(await store.accessKeys.find('CW1'), accessKey('CW1', { revokedAt: 3000 }));
  });
  check('access keys: revoked by principal, byte by byte', async (store) => {
    await insertAll(store, [
      accessKey('CW1'),
      accessKey('CW2', { revokedAt: 100 }),
      accessKey('CW3', { principalName: 'coreweave/USER-1' }),
      accessKey('CW4', { orgId: 'org-b' }),
      accessKey('CW5'),
    ]);
    const revoked = await store.accessKeys.revokeByPrincipal('org-a', 'coreweave/user-1', 3000);
    assert.deepEqual([...revoked].sort(), ['CW1', 'CW5']);
    assert.deepEqual(await store.accessKeys.revokeByPrincipal('org-a', 'coreweave/user-1', 4000), []);
    assert.equal((await store.accessKeys.find('CW2'))?.revokedAt, 100);
    for (const id of ['CW3', 'CW4']) assert.equal((await store.accessKeys.find(id))?.revokedAt, undefined);
  });
  check('access keys: revoked by API token, temporary ones only', async (store) => {
    const made = { apiTokenId: 'token-1', expiresAt: 9000 };
    await insertAll(store, [
      accessKey('CW1', made),
      accessKey('CW2', { apiTokenId: 'token-1' }),
      accessKey('CW3', { ...made, apiTokenId: 'token-2' }),
      accessKey('CW4', { ...made, orgId: 'org-b' }),
      accessKey('CW5', { ...made, revokedAt: 100 }),
      accessKey('CW6', { ...made, expiresAt: 3000 }),
      accessKey('CW7', { ...made, status: 'suspended' }),
      accessKey('CW8', { expiresAt: 9000 }),
    ]);
    const revoked = await store.accessKeys.revokeTemporaryByToken('org-a', 'token-1', 3000);
    assert.deepEqual([...revoked].sort(), ['CW1', 'CW7']);
    assert.deepEqual(await store.accessKeys.revokeTemporaryByToken('org-a', 'token-1', 4000), []);
    assert.equal((await store.accessKeys.find('CW1'))?.revokedAt, 3000);
    assert.equal((await store.accessKeys.find('CW5'))?.revokedAt, 100);
    for (const id of ['CW2', 'CW3', 'CW4', 'CW6', 'CW8'])
      assert.equal((await store.accessKeys.find(id))?.revokedAt, undefined, id);
  });
  check('access keys: purged when they ended long ago, in batches, nothing else', async (store) => {
    await insertAll(store, [
      accessKey('CW1', { expiresAt: 100 }),
      accessKey('CW2', { expiresAt: 500 }),
      accessKey('CW3'),
      accessKey('CW4', { expiresAt: 9000 }),
      accessKey('CW5', { expiresAt: 200 }),
    ]);
    await store.accessKeys.revoke('org-a', 'CW4', 300);
    // Revoked after its end: it ended at its end.
    await store.accessKeys.revoke('org-a', 'CW5', 9000);
    assert.equal(await store.accessKeys.purge(500, 2), 2);
    assert.equal(await store.accessKeys.purge(500, 2), 1);
    assert.equal(await store.accessKeys.purge(500, 2), 0);
    for (const id of ['CW1', 'CW4', 'CW5']) assert.equal(await store.accessKeys.find(id), undefined);
    for (const id of ['CW2', 'CW3']) assert.ok(await store.accessKeys.find(id));
  });
}

function suspensionTests(check: StoreTest): void {
  check('access keys: status by principal; a revoked key never comes back', async (store) => {
    await insertAll(store, [
      accessKey('CW1'),
      accessKey('CW2', { status: 'suspended' }),
      accessKey('CW3', { revokedAt: 100, status: 'suspended' }),
      accessKey('CW4', { orgId: 'org-b' }),
    ]);
    const set = (status: 'active' | 'suspended') =>
      store.accessKeys.setStatusByPrincipal('org-a', 'coreweave/user-1', status);
    assert.deepEqual(await set('suspended'), ['CW1']);
    assert.deepEqual([...(await set('active'))].sort(), ['CW1', 'CW2']);
    assert.deepEqual(await set('active'), []);
    assert.equal((await store.accessKeys.find('CW1'))?.status, 'active');
    assert.equal((await store.accessKeys.find('CW3'))?.revokedAt, 100);
    assert.equal((await store.accessKeys.find('CW4'))?.status, 'active');
  });
  check('access keys: a principal is suspended until it is not, in its organization', async (store) => {
    const suspended = (orgId: string) => store.accessKeys.principalSuspended(orgId, 'role/r');
    assert.equal(await suspended('org-a'), false);
    for (let twice = 0; twice < 2; twice += 1) await store.accessKeys.setPrincipalSuspended('org-a', 'role/r', true);
    assert.deepEqual([await suspended('org-a'), await suspended('org-b')], [true, false]);
    for (let twice = 0; twice < 2; twice += 1) await store.accessKeys.setPrincipalSuspended('org-a', 'role/r', false);
    assert.equal(await suspended('org-a'), false);
  });
}
