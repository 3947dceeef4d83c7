import assert from 'node:assert/strict';
import { createHash, createSecretKey } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { createSealer } from '../core/index.ts';
import { createKeys } from '../keys/index.ts';
import { openSqliteStore } from '../store/sqlite/index.ts';
import { isApiToken } from './api-token/token.ts';
import { bootstrap, createIdentity } from './index.ts';

type Recorded = readonly [string, Readonly<Record<string, unknown>>];

async function makeWorld(t: TestContext) {
  const dir = mkdtempSync(join(tmpdir(), 'identity-'));
  const store = await openSqliteStore({ file: join(dir, 'control.sqlite') });
  t.after(async () => {
    await store.close();
    rmSync(dir, { recursive: true, force: true });
  });
  let at = Date.UTC(2027, 0, 4, 8);
  const clock = { now: () => at };
  const advance = (seconds: number) => {
    at += seconds * 1000;
  };
  let block = 0;
  const entropy = {
    bytes: (size: number) => {
      block += 1;
      return createHash('shake256', { outputLength: size }).update(`${dir}/${block}`).digest();
    },
  };
  const sealer = createSealer(createSecretKey(Buffer.alloc(32, 7)), entropy);
  const events: Recorded[] = [];
  const record = (name: string) => (event: object) => void events.push([name, { ...event }]);
  const sink = {
    adminChanged: record('adminChanged'),
    keysRevoked: record('keysRevoked'),
    policyChanged: record('policyChanged'),
    unexpected: record('unexpected'),
    keyIssued: record('keyIssued'),
    principalStatus: record('principalStatus'),
  };
  const deps = { store, hasher: sealer, clock, entropy, events: sink };
  const first = await bootstrap(store, deps);
  assert.ok(first);
  const identity = createIdentity(deps);
  const another = () => createIdentity(deps);
  const keys = createKeys({ store, sealer, clock, entropy, events: sink });
  return {
    dir,
    store,
    clock,
    advance,
    entropy,
    events,
    deps,
    first,
    identity,
    another,
    keys,
    orgId: first.organization.id,
  };
}

const NEW_USER = { name: 'bob@test.example', displayName: 'Bob', roles: [], groups: ['lab'] } as const;

test('bootstrap: organization, administrator, token and policy at once, and only once', async (t) => {
  const { store, first, identity, deps, orgId, events } = await makeWorld(t);
  assert.match(orgId, /^[0-9a-f]{6}$/);
  assert.ok(isApiToken(first.secret));
  const proved = await identity.authenticate(first.secret);
  assert.equal(proved.caller.name, first.principalName);
  assert.equal(proved.caller.orgId, orgId);
  assert.deepEqual(proved.user.roles, ['object-storage-admin', 'access-token-admin', 'iam-admin', 'platform-admin']);
  const policy = await store.policies.find(orgId, 'bootstrap');
  assert.deepEqual(JSON.parse(policy?.document ?? ''), {
    version: 'v1alpha1',
    name: 'bootstrap',
    statements: [
      {
        name: 'administrator',
        effect: 'Allow',
        actions: ['s3:*', 'cwobject:*'],
        resources: ['*'],
        principals: [first.principalName],
      },
    ],
  });
  assert.equal(await bootstrap(store, deps), undefined);
  assert.equal((await store.organizations.list({ offset: 0, limit: 10 })).length, 1);
  assert.ok(!JSON.stringify(events).includes(first.secret));
});

test('D-18 bootstrap: when the token cannot be put away, nothing was made and the next start tries again', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'identity-'));
  const store = await openSqliteStore({ file: join(dir, 'control.sqlite') });
  t.after(async () => {
    await store.close();
    rmSync(dir, { recursive: true, force: true });
  });
  const { deps } = await makeWorld(t);
  const beforeCommit = () => {
    throw new Error('disk full');
  };
  await assert.rejects(bootstrap(store, { ...deps, beforeCommit }), /disk full/);
  assert.deepEqual(await store.organizations.list({ offset: 0, limit: 10 }), []);
  const kept: string[] = [];
  const made = await bootstrap(store, { ...deps, beforeCommit: ({ secret }) => void kept.push(secret) });
  assert.equal(made?.secret, kept.at(-1));
});

test('authenticate: the second answer comes from memory, without a promise', async (t) => {
  const { identity, first, store } = await makeWorld(t);
  const proved = await identity.authenticate(first.secret);
  const reads = t.mock.method(store.apiTokens, 'findByHash');
  assert.equal(identity.authenticate(first.secret), proved);
  assert.equal(reads.mock.callCount(), 0);
});

test('J-14 API token cut short, extended, changed, unknown, of another installation, expired, removed: one answer', async (t) => {
  const { identity, first, orgId, advance, clock, keys, another } = await makeWorld(t);
  const user = await identity.createUser(orgId, NEW_USER, 'test');
  const make = (expiresAt?: number) =>
    identity.createApiToken(orgId, { userId: user.id, name: 'ci', note: '', ...(expiresAt && { expiresAt }) }, 'test');
  const expiring = await make(clock.now() + 60_000);
  const removed = await make();
  const deactivated = await make();
  for (const { secret } of [expiring, removed, deactivated]) assert.ok((await identity.authenticate(secret)).user);
  advance(60);
  await identity.deleteApiToken(orgId, removed.record.id, 'test');
  await identity.updateUser(orgId, user.id, { active: false }, 'test');
  const foreign = (await makeWorld(t)).first.secret;
  const refused = [
    first.secret.slice(0, -1),
    `${first.secret}0`,
    `${first.secret}\n`,
    first.secret.toLowerCase(),
    first.secret.slice(10),
    ` ${first.secret}`,
    'x'.repeat(1_000_000),
    '',
    foreign,
    expiring.secret,
    removed.secret,
    deactivated.secret,
  ];
  const answers = new Set<string>();
  for (const process of [identity, another()]) {
    for (const token of refused) {
      const error = await Promise.resolve(process.authenticate(token)).then(
        () => assert.fail('was let in'),
        (reason: { code: string; message: string }) => reason,
      );
      answers.add(`${error.code}: ${error.message}`);
    }
  }
  assert.equal(answers.size, 1, [...answers].join('\n'));
  assert.match([...answers][0] ?? '', /^unauthenticated: /);
  assert.equal(await keys.revokePrincipal(orgId, `coreweave/${user.id}`, 'test'), 0);
  assert.ok(await identity.authenticate(first.secret));
});

test('K-02 deactivated user: tokens and keys stop when the call answers, in every process', async (t) => {
  const { identity, another, keys, orgId, store, events } = await makeWorld(t);
  const elsewhere = another();
  const user = await identity.createUser(orgId, NEW_USER, 'test');
  const token = await identity.createApiToken(orgId, { userId: user.id, name: 'ci', note: '' }, 'test');
  const principal = { kind: 'user', uid: user.id } as const;
  const order = { orgId, principal, durationSeconds: 900, groups: [] } as const;
  const issued = await keys.issue({ ...order, source: 'token', attributes: {} });
  const exchange = () => keys.exchange({ ...order, source: 'api-token-exchange', proof: token.secret });
  const exchanged = await exchange();
  assert.ok(await elsewhere.authenticate(token.secret));
  await identity.updateUser(orgId, user.id, { active: false }, 'test');
  for (const process of [identity, elsewhere]) {
    await assert.rejects(async () => process.authenticate(token.secret), { code: 'unauthenticated' });
  }
  for (const { accessKeyId } of [issued, exchanged]) assert.equal((await keys.resolve(accessKeyId)).state, 'unknown');
  await assert.rejects(async () => exchange(), { code: 'denied' });
  const revoked = events.find(([name]) => name === 'keysRevoked')?.[1] as { accessKeyIds: readonly string[] };
  assert.deepEqual([...revoked.accessKeyIds].sort(), [issued.accessKeyId, exchanged.accessKeyId].sort());
  await identity.updateUser(orgId, user.id, { active: true }, 'test');
  assert.ok(await elsewhere.authenticate(token.secret), 'the token works again');
  assert.equal((await keys.resolve(issued.accessKeyId)).state, 'unknown', 'revoked keys never do');
  const fresh = await exchange();
  await identity.deleteUser(orgId, user.id, 'test');
  await assert.rejects(async () => elsewhere.authenticate(token.secret), { code: 'unauthenticated' });
  assert.equal((await keys.resolve(fresh.accessKeyId)).state, 'unknown');
  assert.deepEqual(await store.apiTokens.list(orgId, { userId: user.id }, { offset: 0, limit: 10 }), []);
  const namesake = await identity.createUser(orgId, NEW_USER, 'test');
  assert.notEqual(namesake.id, user.id);
});

test('K-01 removed token: a read that was under way is not kept', async (t) => {
  const { another, first, identity, orgId, store } = await makeWorld(t);
  const reading = another();
  const findByHash = store.apiTokens.findByHash.bind(store.apiTokens);
  let release = () => {};
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  const slow = t.mock.method(store.apiTokens, 'findByHash', async (hash: Uint8Array) => {
    const record = await findByHash(hash);
    await held;
    return record;
  });
  const before = Promise.resolve(reading.authenticate(first.secret));
  await new Promise((resolve) => setTimeout(resolve, 20));
  await identity.deleteApiToken(orgId, first.token.id, 'test');
  slow.mock.restore();
  release();
  await before;
  await assert.rejects(async () => reading.authenticate(first.secret), { code: 'unauthenticated' });
});

test('K-01 changes were missed: tokens are looked up again', async (t) => {
  const { identity, first, orgId, dir } = await makeWorld(t);
  assert.ok(await identity.authenticate(first.secret));
  const elsewhere = await openSqliteStore({ file: join(dir, 'control.sqlite') });
  await elsewhere.apiTokens.remove(orgId, first.token.id);
  await elsewhere.close();
  assert.ok(await identity.authenticate(first.secret));
  identity.apply({ sequence: 9, kind: 'missed', orgId: '', id: '' });
  await assert.rejects(async () => identity.authenticate(first.secret), { code: 'unauthenticated' });
});

test('K-01 deleted token: its temporary keys stop with it, permanent and other keys stay, no key is made any more', async (t) => {
  const { identity, keys, first, orgId, events } = await makeWorld(t);
  const principal = { kind: 'user', uid: first.admin.id } as const;
  const other = await identity.createApiToken(orgId, { userId: first.admin.id, name: 'other', note: '' }, 'test');
  const base = { orgId, principal, groups: [], attributes: {} };
  const exchange = (apiTokenId: string) =>
    keys.exchange({ ...base, source: 'api-token-exchange', durationSeconds: 3600, proof: apiTokenId, apiTokenId });
  const issue = (durationSeconds: number) =>
    keys.issue({ ...base, source: 'token', durationSeconds, apiTokenId: first.token.id });
  const stopped = [await exchange(first.token.id), await issue(900)];
  const kept = [await issue(0), await exchange(other.record.id)];
  for (const { accessKeyId } of [...stopped, ...kept]) assert.equal((await keys.resolve(accessKeyId)).state, 'usable');
  await identity.deleteApiToken(orgId, first.token.id, 'test');
  for (const { accessKeyId } of stopped) assert.equal((await keys.resolve(accessKeyId)).state, 'unknown');
  for (const { accessKeyId } of kept) assert.equal((await keys.resolve(accessKeyId)).state, 'usable');
  const told = events.findLast(([name]) => name === 'keysRevoked')?.[1];
  assert.deepEqual(new Set(told?.accessKeyIds as string[]), new Set(stopped.map((key) => key.accessKeyId)));
  // Both had been authenticated before the token went.
  await assert.rejects(async () => exchange(first.token.id), { code: 'unauthenticated' });
  await assert.rejects(issue(0), { code: 'unauthenticated' });
  await assert.rejects(identity.deleteApiToken(orgId, first.token.id, 'test'), { code: 'not-found' });
});

test('K-06 API tokens: not in records, events or the database file', async (t) => {
  const { dir, identity, first, orgId, store, events } = await makeWorld(t);
  const made = await identity.createApiToken(orgId, { userId: first.admin.id, name: 'ci', note: 'n' }, 'test');
  const list = await store.apiTokens.list(orgId, {}, { offset: 0, limit: 10 });
  assert.equal(list.length, 2);
  const files = readdirSync(dir).map((name) => readFileSync(join(dir, name)).toString('latin1'));
  assert.ok(files.some((text) => text.includes(made.record.id)));
  for (const text of [JSON.stringify([events, list]), ...files]) {
    for (const secret of [made.secret, first.secret]) assert.ok(!text.includes(secret.slice(10, 40)));
  }
});

test('K-04 user and token of another organization: as unknown ones', async (t) => {
  const { identity, orgId, first } = await makeWorld(t);
  const other = await identity.createOrganization({ name: 'other', adminName: 'admin' }, 'test');
  assert.deepEqual(other.admin.roles, ['object-storage-admin', 'access-token-admin', 'iam-admin']);
  assert.equal((await identity.authenticate(other.secret)).caller.orgId, other.organization.id);
  const id = other.admin.id;
  const failure = async (call: Promise<unknown>) => {
    const error = await call.then(
      () => assert.fail('was done'),
      (reason: { code: string; message: string }) => reason,
    );
    return `${error.code} ${error.message}`;
  };
  const tokenFor = (userId: string) => identity.createApiToken(orgId, { userId, name: 'x', note: '' }, 'test');
  const pairs = [
    [identity.updateUser(orgId, id, { active: false }, 'test'), identity.updateUser(orgId, 'no', {}, 'test')],
    [identity.deleteUser(orgId, id, 'test'), identity.deleteUser(orgId, 'no', 'test')],
    [identity.deleteApiToken(orgId, other.token.id, 'test'), identity.deleteApiToken(orgId, 'no', 'test')],
    [tokenFor(id), tokenFor('no')],
  ] as const;
  for (const [foreign, unknown] of pairs) {
    const words = await failure(foreign);
    assert.match(words, /^not-found/);
    assert.equal(words, await failure(unknown));
  }
  assert.ok(await identity.authenticate(other.secret));
  assert.ok(await identity.authenticate(first.secret));
});

test('K-05 the last working platform-admin cannot be removed by an administrator who is none', async (t) => {
  const { identity, first, orgId } = await makeWorld(t);
  const { id } = first.admin;
  const last = { code: 'failed-precondition', message: /platform-admin/ };
  const admin = await identity.createUser(orgId, { ...NEW_USER, roles: ['iam-admin'] }, 'test');
  await assert.rejects(identity.deleteUser(orgId, id, admin.id), last);
  await assert.rejects(identity.updateUser(orgId, id, { active: false }, admin.id), last);
  await assert.rejects(identity.updateUser(orgId, id, { roles: ['iam-admin'] }, admin.id), last);
  await identity.updateUser(orgId, id, { displayName: 'Ada' }, admin.id);
  await identity.updateUser(orgId, admin.id, { roles: ['iam-admin', 'platform-admin'] }, first.admin.id);
  await identity.deleteUser(orgId, id, admin.id);
});

test('users: the last working iam-admin stays', async (t) => {
  const { identity, orgId, first } = await makeWorld(t);
  const last = { code: 'failed-precondition' };
  const id = first.admin.id;
  const second = await identity.createUser(orgId, { ...NEW_USER, roles: ['iam-admin', 'platform-admin'] }, 'test');
  await identity.updateUser(orgId, second.id, { active: false }, 'test');
  await assert.rejects(identity.deleteUser(orgId, id, 'test'), last);
  await assert.rejects(identity.updateUser(orgId, id, { active: false }, 'test'), last);
  await assert.rejects(identity.updateUser(orgId, id, { roles: ['object-storage-admin'] }, 'test'), last);
  await identity.updateUser(orgId, id, { displayName: 'Ada', groups: ['a', 'a'] }, 'test');
  await identity.updateUser(orgId, second.id, { active: true }, 'test');
  // Both leave at the same moment: one of them has to stay.
  const outcome = await Promise.allSettled([id, second.id].map((each) => identity.deleteUser(orgId, each, 'test')));
  assert.deepEqual(outcome.map(({ status }) => status).sort(), ['fulfilled', 'rejected']);
});

test('users, tokens: what may be written', async (t) => {
  const { identity, orgId, first, clock } = await makeWorld(t);
  const invalid = { code: 'invalid' };
  const user = (over: object) => identity.createUser(orgId, { ...NEW_USER, ...over }, 'test');
  for (const over of [{ name: '' }, { name: ' a' }, { name: 'a\nb' }, { roles: ['root'] }, { groups: [''] }]) {
    await assert.rejects(user(over), invalid, JSON.stringify(over));
  }
  await user({});
  await assert.rejects(user({}), { code: 'exists' });
  const token = (over: object) =>
    identity.createApiToken(orgId, { userId: first.admin.id, name: 'ci', note: '', ...over }, 'test');
  const bad = [{ name: '' }, { name: 'x'.repeat(101) }, { note: 'x'.repeat(1001) }, { note: '\u001b[31m' }];
  for (const over of [...bad, { expiresAt: clock.now() }, { expiresAt: Number.NaN }]) {
    await assert.rejects(token(over), invalid, JSON.stringify(over));
  }
  await token({ name: 'x'.repeat(100), note: 'line\nline' });
});

test('changed roles and groups are seen by the next request', async (t) => {
  const { identity, another, orgId, first } = await makeWorld(t);
  const elsewhere = another();
  await elsewhere.authenticate(first.secret);
  await identity.updateUser(orgId, first.admin.id, { groups: ['lab'] }, 'test');
  assert.deepEqual((await elsewhere.authenticate(first.secret)).caller.groups, ['lab']);
});

test('last use: written at most once a minute, and on flush', async (t) => {
  const { identity, first, orgId, store, advance, clock } = await makeWorld(t);
  const lastUsed = async () => (await store.apiTokens.find(orgId, first.token.id))?.lastUsedAt;
  const start = clock.now();
  await identity.authenticate(first.secret);
  await identity.flush();
  assert.equal(await lastUsed(), start);
  const writes = t.mock.method(store, 'transact');
  for (let turn = 0; turn < 59; turn += 1) {
    advance(1);
    await identity.authenticate(first.secret);
  }
  assert.equal(writes.mock.callCount(), 0);
  advance(1);
  await identity.authenticate(first.secret);
  await identity.flush();
  assert.equal(await lastUsed(), start + 60_000);
  assert.equal(writes.mock.callCount(), 1);
});
