import assert from 'node:assert/strict';
import { createSecretKey } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { createSealer } from '../core/index.ts';
import { openSqliteStore } from '../store/sqlite/index.ts';
import { verifyMasterKey } from './master-key.ts';
import { ADA, exchangeRequest, issueRequest, MASTER_KEY, makeWorld, ORG, seededEntropy } from './test-support.ts';

const OTHER_ORG = 'd4e5f6';
const invalid = (field: string) => (error: { code?: string; violations?: readonly { field: string }[] }) =>
  error.code === 'invalid' && (error.violations?.[0]?.field ?? '').startsWith(field);

test('issue: a new key resolves at once, to the same object every time, with its identity', async (t) => {
  const { keys, clock } = await makeWorld(t);
  const issued = await keys.issue(issueRequest());
  assert.equal(issued.expiresAt, clock.now() + 900_000);
  assert.equal(issued.principalName, 'coreweave/uAda');
  const first = await keys.resolve(issued.accessKeyId);
  assert.deepEqual(first, {
    state: 'usable',
    secret: issued.secret,
    caller: {
      kind: 'principal',
      orgId: ORG,
      principal: ADA,
      name: 'coreweave/uAda',
      accessKeyId: issued.accessKeyId,
      groups: ['lab'],
    },
  });
  assert.equal(keys.resolve(issued.accessKeyId), first);
});

test('issue: lifetimes of the contract', async (t) => {
  const { keys } = await makeWorld(t);
  const permanent = await keys.issue(issueRequest({ durationSeconds: 0 }));
  assert.equal(permanent.expiresAt, undefined);
  await keys.issue(issueRequest({ durationSeconds: 43_200 }));
  for (const durationSeconds of [43_201, -1, 1.5, Number.NaN]) {
    await assert.rejects(keys.issue(issueRequest({ durationSeconds })), invalid('durationSeconds'));
  }
  for (const source of ['oidc', 'saml', 'container-oidc', 'api-token-exchange'] as const) {
    await assert.rejects(keys.issue(issueRequest({ durationSeconds: 0, source })), invalid('durationSeconds'));
  }
});

test('issue: attribute rules', async (t) => {
  const { keys } = await makeWorld(t);
  const many = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, index) => [`a${index}`, 'x']));
  const good = [
    many(15),
    { name: 'Ada’s laptop, 2nd floor 🙂' },
    { constructor: '' },
    { ['a'.repeat(63)]: 'x'.repeat(256) },
  ];
  for (const attributes of good) {
    const issued = await keys.issue(issueRequest({ attributes }));
    assert.deepEqual((await keys.find(ORG, issued.accessKeyId))?.attributes, attributes);
  }
  const bad = [
    many(16),
    { 'cw-x': '' },
    { 'CW-x': '' },
    { role: '' },
    { Groups: '' },
    { a_b: '' },
    { '-a': '' },
    { '': '' },
  ];
  const badValues = [{ a: 'x'.repeat(257) }, { a: 'line\nbreak' }, { a: '\ud800' }, { a: '\u202eevil' }];
  for (const attributes of [...bad, ...badValues, { ['a'.repeat(64)]: '' }]) {
    await assert.rejects(keys.issue(issueRequest({ attributes })), invalid('attributes'));
  }
});

test('issue: unknown ids are remembered only until the key appears', async (t) => {
  const { keys, store, clock } = await makeWorld(t);
  const issued = await keys.issue(issueRequest());
  const record = await store.accessKeys.find(issued.accessKeyId);
  assert.ok(record);
  await store.accessKeys.purge(clock.now() + 10_000_000, 10);
  keys.apply({ sequence: 0, kind: 'access-key', orgId: ORG, id: issued.accessKeyId });
  assert.deepEqual(await keys.resolve(issued.accessKeyId), { state: 'unknown' });
  assert.deepEqual(keys.resolve(issued.accessKeyId), { state: 'unknown' }, 'from memory');
  await store.accessKeys.insert(record);
  assert.equal((await keys.resolve(issued.accessKeyId)).state, 'usable');
  assert.deepEqual(keys.resolve('not a key id'), { state: 'unknown' });
});

test('K-01 revoke: refused from the moment it answers, on every process, also after a restart', async (t) => {
  const world = await makeWorld(t);
  const elsewhere = world.another();
  const issued = await world.keys.issue(issueRequest());
  for (const keys of [world.keys, elsewhere]) assert.equal((await keys.resolve(issued.accessKeyId)).state, 'usable');
  await world.keys.revoke(ORG, issued.accessKeyId, 'test');
  for (const keys of [world.keys, elsewhere, world.another()]) {
    assert.deepEqual(await keys.resolve(issued.accessKeyId), { state: 'unknown' });
  }
  assert.equal((await world.keys.find(ORG, issued.accessKeyId))?.state, 'revoked');
  await world.keys.setPrincipalStatus(ORG, 'coreweave/uAda', 'active', 'test');
  assert.equal((await world.keys.resolve(issued.accessKeyId)).state, 'unknown', 'revoked ones never come back');
});

test('K-01 changes were missed: nothing that is in memory is believed any more', async (t) => {
  const { keys, file } = await makeWorld(t);
  const issued = await keys.issue(issueRequest());
  assert.equal((await keys.resolve(issued.accessKeyId)).state, 'usable');
  const elsewhere = await openSqliteStore({ file });
  await elsewhere.accessKeys.revoke(ORG, issued.accessKeyId, 1);
  await elsewhere.close();
  assert.equal((await keys.resolve(issued.accessKeyId)).state, 'usable');
  keys.apply({ sequence: 9, kind: 'missed', orgId: '', id: '' });
  assert.equal((await keys.resolve(issued.accessKeyId)).state, 'unknown');
});

test('K-01 revoke: a read that was under way does not bring the key back into memory', async (t) => {
  const { store, keys, another } = await makeWorld(t);
  const issued = await keys.issue(issueRequest());
  const find = store.accessKeys.find.bind(store.accessKeys);
  let release = () => {};
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  const reading = another();
  // The read has its (still valid) answer from the database, and is held up on its way home.
  const slow = t.mock.method(store.accessKeys, 'find', async (id: string) => {
    const record = await find(id);
    await held;
    return record;
  });
  const before = Promise.resolve(reading.resolve(issued.accessKeyId));
  await new Promise((resolve) => setTimeout(resolve, 20));
  await keys.revoke(ORG, issued.accessKeyId, 'test');
  slow.mock.restore();
  const after = Promise.resolve(reading.resolve(issued.accessKeyId));
  release();
  await before;
  assert.equal((await after).state, 'unknown', 'asked after the revoke: does not join the old read');
  assert.equal((await reading.resolve(issued.accessKeyId)).state, 'unknown', 'the old read was not kept');
});

test('K-02 principal: suspend stops keys and new ones, reactivate brings them back, revoke ends them', async (t) => {
  const { keys, events, another } = await makeWorld(t);
  const elsewhere = another();
  const one = await keys.issue(issueRequest());
  const two = await keys.issue(issueRequest({ durationSeconds: 0 }));
  const bobs = await keys.issue(issueRequest({ principal: { kind: 'user', uid: 'uBob' } }));
  const states = async () =>
    Promise.all([one, two, bobs].map(async ({ accessKeyId }) => (await elsewhere.resolve(accessKeyId)).state));
  assert.deepEqual(await states(), ['usable', 'usable', 'usable']);
  await keys.setPrincipalStatus(ORG, 'coreweave/uAda', 'suspended', 'test');
  assert.deepEqual(await states(), ['suspended', 'suspended', 'usable']);
  await assert.rejects(keys.issue(issueRequest()), { code: 'denied' });
  await assert.rejects(async () => keys.exchange(exchangeRequest()), { code: 'denied' });
  const suspended = await keys.list(ORG, { status: 'suspended' }, 0, 10);
  assert.deepEqual(suspended.map((info) => info.accessKeyId).sort(), [one.accessKeyId, two.accessKeyId].sort());
  await keys.setPrincipalStatus(ORG, `arn:aws:iam::${ORG}:coreweave/uAda`, 'active', 'test');
  assert.deepEqual(await states(), ['usable', 'usable', 'usable']);
  assert.equal(await keys.revokePrincipal(ORG, 'coreweave/uAda', 'test'), 2);
  assert.deepEqual(await states(), ['unknown', 'unknown', 'usable']);
  assert.equal(await keys.revokePrincipal(ORG, 'coreweave/nobody', 'test'), 0);
  await assert.rejects(keys.setPrincipalStatus(ORG, 'uAda', 'suspended', 'test'), invalid('principalName'));
  assert.equal(events.filter(([name]) => name === 'principalStatus').length, 2);
});

test('K-02 deactivated or removed user: no key is made for it, whoever asks', async (t) => {
  const { keys, store } = await makeWorld(t);
  const bob = await store.users.find(ORG, 'uBob');
  assert.ok(bob);
  await store.users.replace({ ...bob, active: false });
  const principal = { kind: 'user', uid: 'uBob' } as const;
  await assert.rejects(keys.issue(issueRequest({ principal })), { code: 'denied' });
  await store.users.remove(ORG, 'uBob');
  await assert.rejects(async () => keys.exchange(exchangeRequest({ principal })), { code: 'denied' });
});

test('K-04 key of another organization: find, list, revoke and suspend answer as for an unknown one', async (t) => {
  const { keys } = await makeWorld(t);
  const issued = await keys.issue(issueRequest());
  const failure = async (orgId: string, id: string) => {
    const error = await keys.revoke(orgId, id, 'test').then(
      () => assert.fail('was revoked'),
      (reason: { code: string; message: string; resource: { type: string; name: string } }) => reason,
    );
    return {
      code: error.code,
      message: error.message,
      resource: { ...error.resource, name: error.resource.name === id },
    };
  };
  const foreign = await failure(OTHER_ORG, issued.accessKeyId);
  assert.equal(foreign.code, 'not-found');
  assert.deepEqual(foreign, await failure(OTHER_ORG, 'CWQRSTUVWXYZABCD'));
  assert.equal(await keys.find(OTHER_ORG, issued.accessKeyId), undefined);
  assert.deepEqual(await keys.list(OTHER_ORG, {}, 0, 10), []);
  assert.equal(await keys.revokePrincipal(OTHER_ORG, 'coreweave/uAda', 'test'), 0);
  await keys.setPrincipalStatus(OTHER_ORG, 'coreweave/uAda', 'suspended', 'test');
  assert.equal((await keys.resolve(issued.accessKeyId)).state, 'usable');
});

test('K-05 owner of a key: attributes that name another principal, parent or organization change nothing', async (t) => {
  const { keys } = await makeWorld(t);
  const attributes = {
    principal: 'coreweave/uBob',
    parent: 'coreweave/uBob',
    'org-id': OTHER_ORG,
    'principal-name': 'x',
  };
  const extra = { principalName: 'coreweave/uBob', status: 'active', id: 'CWQRSTUVWXYZABCD', revokedAt: 1 };
  const issued = await keys.issue({ ...issueRequest({ attributes }), ...extra });
  const resolution = await keys.resolve(issued.accessKeyId);
  assert.ok(resolution.state === 'usable');
  assert.equal(resolution.caller.name, 'coreweave/uAda');
  assert.deepEqual(resolution.caller.principal, ADA);
  assert.equal(resolution.caller.orgId, ORG);
  assert.equal(issued.principalName, 'coreweave/uAda');
});

test('K-06 secrets: not in find, list, events, records or the database file', async (t) => {
  const { keys, events, store, dir } = await makeWorld(t);
  const issued = await keys.issue(issueRequest());
  const exchanged = await keys.exchange(exchangeRequest());
  await keys.setPrincipalStatus(ORG, 'coreweave/uAda', 'suspended', 'test');
  await keys.revoke(ORG, issued.accessKeyId, 'test');
  const seen = JSON.stringify([
    events,
    await keys.list(ORG, {}, 0, 100),
    await keys.find(ORG, issued.accessKeyId),
    await store.accessKeys.find(issued.accessKeyId),
  ]);
  assert.ok(events.length >= 4 && seen.includes(issued.accessKeyId));
  const files = readdirSync(dir).map((name) => readFileSync(join(dir, name)).toString('latin1'));
  const hidden = [issued.secret, exchanged.secret, 'proof-of-ada'];
  for (const text of [seen, ...files]) {
    for (const secret of hidden) assert.ok(!text.includes(secret) && !text.includes(secret.slice(3, 30)));
  }
  assert.ok(
    files.some((text) => text.includes(issued.accessKeyId)),
    'the right files were searched',
  );
});

test('K-07 master key: the first start marks the database, another key is refused and opens nothing', async (t) => {
  const { store, keys } = await makeWorld(t);
  const entropy = seededEntropy('probe');
  const right = createSealer(MASTER_KEY, entropy);
  const wrong = createSealer(createSecretKey(Buffer.alloc(32, 8)), entropy);
  await verifyMasterKey(store.meta, right);
  await verifyMasterKey(store.meta, right);
  await assert.rejects(
    store.transact((records) => verifyMasterKey(records.meta, wrong)),
    {
      code: 'failed-precondition',
      message: /master key/,
    },
  );
  const issued = await keys.issue(issueRequest());
  const record = await store.accessKeys.find(issued.accessKeyId);
  assert.ok(record);
  assert.throws(() => wrong.open(record.sealedSecret, ['access-key', ORG, record.id]), { code: 'data-damaged' });
  // Moving somebody's sealed secret into another record is noticed too.
  const victim = await keys.issue(issueRequest());
  await store.accessKeys.purge(0, 1);
  const moved = { ...record, id: 'CWQRSTUVWXYZABCD' };
  await store.accessKeys.insert(moved);
  await assert.rejects(async () => keys.resolve(moved.id), { code: 'data-damaged' });
  assert.equal((await keys.resolve(victim.accessKeyId)).state, 'usable');
});

test('D-14 clock: a key ends at its expiry whatever is cached, and a jump there and back does no lasting harm', async (t) => {
  const { keys, clock, another } = await makeWorld(t);
  const issued = await keys.issue(issueRequest({ durationSeconds: 60 }));
  assert.equal((await keys.resolve(issued.accessKeyId)).state, 'usable');
  clock.advance(59.999);
  assert.equal((await keys.resolve(issued.accessKeyId)).state, 'usable');
  clock.advance(0.001);
  assert.equal((await keys.resolve(issued.accessKeyId)).state, 'expired');
  assert.equal((await another().resolve(issued.accessKeyId)).state, 'expired');
  assert.equal((await keys.find(ORG, issued.accessKeyId))?.state, 'expired');
  clock.advance(365 * 86_400);
  assert.equal((await keys.resolve(issued.accessKeyId)).state, 'expired');
  assert.equal((await keys.resolve('CWQRSTUVWXYZABCD')).state, 'unknown');
  clock.advance(-365 * 86_400 - 30);
  assert.equal((await keys.resolve(issued.accessKeyId)).state, 'usable');
  const ahead = await keys.exchange(exchangeRequest());
  clock.advance(-86_400);
  const now = await keys.exchange(exchangeRequest());
  assert.notEqual(now.accessKeyId, ahead.accessKeyId, 'would live a day longer than asked for');
  assert.equal(now.expiresAt, clock.now() + 3_600_000);
});

test('D-18 crash around a mint or a revoke: whole or not at all', async (t) => {
  const { keys, store, another, events } = await makeWorld(t);
  const transact = store.transact.bind(store);
  const insert = t.mock.method(store, 'transact', (work: Parameters<typeof transact>[0]) =>
    transact(async (records) => {
      await work(records);
      throw new Error('power lost before the commit');
    }),
  );
  await assert.rejects(keys.issue(issueRequest()), /power lost/);
  await assert.rejects(async () => keys.exchange(exchangeRequest()), /power lost/);
  assert.deepEqual(events, [], 'nothing is reported that did not happen');
  insert.mock.restore();
  assert.deepEqual(await keys.list(ORG, {}, 0, 10), []);
  // Minted, and the answer lost: the next process hands out the same key, which has an owner and is listed.
  const lost = await keys.exchange(exchangeRequest());
  const again = await another().exchange(exchangeRequest());
  assert.deepEqual(again, lost);
  const listed = await keys.list(ORG, {}, 0, 10);
  assert.deepEqual(
    listed.map((info) => [info.accessKeyId, info.principalName]),
    [[lost.accessKeyId, 'coreweave/uAda']],
  );
});

test('list pages in order; sweep removes what ended long ago and nothing else', async (t) => {
  const { keys, clock, store } = await makeWorld(t);
  const ids: string[] = [];
  for (let turn = 0; turn < 5; turn += 1) {
    clock.advance(1);
    ids.push((await keys.issue(issueRequest({ durationSeconds: turn === 4 ? 0 : 600 }))).accessKeyId);
  }
  const page = async (offset: number) => (await keys.list(ORG, {}, offset, 2)).map((info) => info.accessKeyId);
  assert.deepEqual([...(await page(0)), ...(await page(2)), ...(await page(4))], ids);
  clock.advance(3600);
  assert.equal(await keys.sweep(), 0);
  clock.advance(86_400);
  assert.equal(await keys.sweep(), 4);
  assert.equal(await store.accessKeys.find(ids[0] ?? ''), undefined);
  assert.equal((await keys.resolve(ids[4] ?? '')).state, 'usable');
});
