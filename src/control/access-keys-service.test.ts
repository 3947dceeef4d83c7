import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { AccessKeyStatus, CWObject } from '../../proto/gen/coreweave/cwobject/v1/cwobject_pb.js';
import { CWOBJECT_ACCESS } from './access.ts';
import { openWorld, type Tenant, type World } from './test-support.ts';
import { type Caller, fetchJson, openCallers } from './test-support-clients.ts';

const cw = CWObject.method;
let world: World;
let home: Tenant;
let away: Tenant;
let callers: readonly Caller[];

before(async () => {
  world = await openWorld();
  home = await world.organization('home');
  away = await world.organization('away');
  callers = openCallers(world);
});
after(async () => {
  for (const caller of callers) caller.close();
  await world.close();
});

type Info = { readonly status: string; readonly expiry?: string };

test('access keys: no expiry for permanent keys and status words over Connect and gRPC, names and 1970 over HTTP/JSON', async () => {
  for (const caller of callers) {
    const member = await home.member(`life-${caller.name}`, ['object-storage-admin']);
    const made = await caller.call(cw.createAccessKeyFromJWT, { durationSeconds: 0 }, member.token);
    assert.equal(made.body?.expiry, caller.json ? '1970-01-01T00:00:00Z' : undefined, caller.name);
    const accessKeyId = String(made.body?.accessKeyId);
    assert.match(accessKeyId, /^CW[A-Z0-9]{14}$/);
    assert.match(String(made.body?.secretKey), /^cwo\w{40}$/);
    const look = async () => (await caller.call(cw.getAccessKeyInfo, { accessKeyId }, member.token)).body?.info as Info;
    const names = caller.json
      ? [
          'ACCESS_KEY_STATUS_ACTIVE',
          'ACCESS_KEY_STATUS_SUSPENDED',
          'ACCESS_KEY_STATUS_DELETED',
          'ACCESS_KEY_STATUS_EXPIRED',
        ]
      : ['ACTIVE', 'FULL_SUSPENDED', 'DELETED', 'EXPIRED'];
    const seen = [await look()];
    const suspend = { principalName: member.principal, status: AccessKeyStatus.SUSPENDED };
    await caller.call(cw.updateAccessKeyStatus, suspend, member.token);
    seen.push(await look());
    await caller.call(cw.updateAccessKeyStatus, { ...suspend, status: AccessKeyStatus.ACTIVE }, member.token);
    await caller.call(cw.revokeAccessKeyByAccessKey, { accessKey: accessKeyId }, member.token);
    seen.push(await look());
    const short = await caller.call(cw.createAccessKeyFromJWT, { durationSeconds: 60 }, member.token);
    world.clock.advance(61_000);
    const shortId = String(short.body?.accessKeyId);
    seen.push((await caller.call(cw.getAccessKeyInfo, { accessKeyId: shortId }, member.token)).body?.info as Info);
    assert.deepEqual(
      seen.map(({ status }) => status),
      names,
      caller.name,
    );
  }
});

test('access keys: paging covers every key once, in order of creation', async () => {
  const tenant = await world.organization('paging');
  const [caller] = callers as [Caller];
  const made: string[] = [];
  for (let index = 0; index < 7; index += 1) {
    world.clock.advance(1000);
    made.push(
      String(
        (await caller.call(cw.createAccessKeyFromJWT, { durationSeconds: 900 }, tenant.adminToken)).body?.accessKeyId,
      ),
    );
  }
  const seen: string[] = [];
  for (let offset = 0; offset <= 9; offset += 3) {
    const page = await caller.call(cw.listAccessKeyInfo, { offset, limit: 3 }, tenant.adminToken);
    seen.push(...((page.body?.info ?? []) as { accessKeyId: string }[]).map((info) => info.accessKeyId));
  }
  assert.deepEqual(seen, made);
});

test('K-04 keys, buckets and policies of another organization answer exactly like unknown ones', async () => {
  const foreign = await callers[0]?.call(cw.createAccessKeyFromJWT, { durationSeconds: 900 }, away.adminToken);
  const foreignKey = String(foreign?.body?.accessKeyId);
  away.bucket('away-bucket');
  await away.policy('away-policy', [
    { name: 's', effect: 'Allow', actions: ['*'], resources: ['*'], principals: ['*'] },
  ]);
  const settings = { auditLoggingEnabled: true };
  for (const caller of callers) {
    const pairs = [
      [cw.getAccessKeyInfo, { accessKeyId: foreignKey }, { accessKeyId: 'CWAAAAAAAAAAAAAA' }],
      [cw.revokeAccessKeyByAccessKey, { accessKey: foreignKey }, { accessKey: 'CWAAAAAAAAAAAAAA' }],
      [cw.getBucketInfo, { bucketName: 'away-bucket' }, { bucketName: 'no-bucket-at-all' }],
      [cw.setBucketSettings, { bucketName: 'away-bucket', settings }, { bucketName: 'no-bucket-at-all', settings }],
      [cw.deleteAccessPolicy, { name: 'away-policy' }, { name: 'no-policy' }],
    ] as const;
    for (const [method, theirs, nobodys] of pairs) {
      const first = await caller.call(method, theirs as never, home.adminToken);
      const second = await caller.call(method, nobodys as never, home.adminToken);
      assert.deepEqual([first.code, first.message], ['NotFound', second.message], `${method.name} ${caller.name}`);
      assert.equal(second.code, 'NotFound');
    }
  }
  const listed = await callers[0]?.call(cw.listBucketInfo, {}, home.adminToken);
  assert.deepEqual(listed?.body?.info, []);
});

test('K-05 the key is the caller own, whatever the body says', async () => {
  const member = await home.member('own-key', [], ['cwobject:CreateAccessKey']);
  const attributes = { principal: `coreweave/${home.adminId}`, org: away.orgId };
  for (const caller of callers) {
    const made = await caller.call(cw.createAccessKeyFromJWT, { durationSeconds: 900, attributes }, member.token);
    assert.deepEqual([made.code, made.body?.principalName], ['Ok', member.principal], caller.name);
    const stored = await world.store.accessKeys.find(String(made.body?.accessKeyId));
    assert.deepEqual([stored?.orgId, stored?.principal], [home.orgId, { kind: 'user', uid: member.id }]);
  }
  for (const extra of ['principalName', 'orgId', 'parent', 'policy', 'groups']) {
    const answer = await fetchJson(`${world.http1Url}/v1/cwobject/access-key`, {
      method: 'POST',
      headers: { authorization: `Bearer ${member.token}` },
      body: JSON.stringify({ durationSeconds: 900, [extra]: 'x' }),
    });
    assert.deepEqual([answer.status, answer.code], [400, 'InvalidArgument'], extra);
  }
});

test('K-06 a secret is in the answer that made it and in no other answer or event', async () => {
  for (const caller of callers) {
    world.calls.length = 0;
    const made = await caller.call(cw.createAccessKeyFromJWT, { durationSeconds: 900 }, home.adminToken);
    const secret = String(made.body?.secretKey);
    const accessKeyId = String(made.body?.accessKeyId);
    const after = [
      await caller.call(cw.getAccessKeyInfo, { accessKeyId }, home.adminToken),
      await caller.call(cw.listAccessKeyInfo, {}, home.adminToken),
      await caller.call(cw.revokeAccessKeyByAccessKey, { accessKey: secret }, home.adminToken),
      await caller.call(cw.getAccessKeyInfo, { accessKeyId: secret }, home.adminToken),
      await caller.call(cw.getAccessKeyInfo, { accessKeyId }, `${home.adminToken}x`),
    ];
    const text = JSON.stringify([after, world.calls]);
    assert.ok(!text.includes(secret), caller.name);
    assert.ok(!text.includes(home.adminToken), caller.name);
  }
  assert.equal(CWOBJECT_ACCESS.getAccessKeyInfo.authentication, 'bearer');
});

test('J-14 tokens cut short, extended, of another kind or of a deactivated user: 401/16 with one message', async () => {
  const member = await home.member('deactivated', ['object-storage-admin']);
  const other = await openWorld();
  try {
    const stranger = await other.organization('elsewhere');
    const { token } = member;
    for (const caller of callers) assert.equal((await caller.call(cw.listAccessPolicies, {}, token)).code, 'Ok');
    await world.identity.updateUser(home.orgId, member.id, { active: false }, 'test');
    const bad = [token, token.slice(0, -1), `${token}A`, token.toLowerCase(), stranger.adminToken, 'CW-SECRET-', 'x'];
    for (const caller of callers) {
      const answers = await Promise.all(bad.map((text) => caller.call(cw.listAccessPolicies, {}, text)));
      for (const answer of answers) assert.equal(answer.code, 'Unauthenticated', caller.name);
      assert.equal(new Set(answers.map(({ message }) => message)).size, 1, caller.name);
    }
  } finally {
    await other.close();
  }
});
