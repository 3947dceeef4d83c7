import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { Admin } from '../../proto/gen/sallyport/admin/v1/admin_pb.js';
import { openWorld, type Tenant, type World } from './test-support.ts';
import { type Caller, type Outcome, openCallers } from './test-support-clients.ts';

const admin = Admin.method;
let world: World;
let home: Tenant;
let callers: readonly Caller[];

before(async () => {
  world = await openWorld();
  home = await world.organization('home');
  callers = openCallers(world).filter(({ json }) => !json);
});
after(async () => {
  for (const caller of callers) caller.close();
  await world.close();
});

/** A member of the answer; a missing one shows as a failed comparison. */
function part<T extends object>(outcome: Outcome, name: string): T {
  return (outcome.body?.[name] ?? {}) as T;
}

type User = { id: string; name: string; active?: boolean; roles?: string[]; groups?: string[]; principalName: string };

test('admin: users are made, changed, deactivated and deleted, and their tokens follow at once', async () => {
  for (const caller of callers) {
    const { adminToken } = home;
    const call = async (method: (typeof admin)[keyof typeof admin], request: object, token = adminToken) =>
      caller.call(method, request as never, token);
    const made = await call(admin.createUser, {
      name: `ada-${caller.name}`,
      displayName: 'Ada',
      roles: ['access-token-admin'],
      groups: ['g1'],
    });
    const user = made.body?.user as User;
    assert.deepEqual([user.active, user.roles, user.groups], [true, ['access-token-admin'], ['g1']], caller.name);
    assert.equal(user.principalName, `coreweave/${user.id}`);
    const token = await call(admin.createApiToken, {
      userId: user.id,
      name: 'laptop',
      note: 'n',
      expireTime: timestampFromMs(world.clock.now() + 3_600_000),
    });
    const secret = String(token.body?.secret);
    const tokenId = String(part<{ id: string }>(token, 'token').id);
    const who = await call(admin.whoAmI, {}, secret);
    assert.deepEqual([part<User>(who, 'user').id, part<{ id: string }>(who, 'organization').id], [user.id, home.orgId]);
    const renamed = await call(admin.updateUser, { id: user.id, displayName: 'Countess', roles: { values: [] } });
    assert.deepEqual([part<User>(renamed, 'user').roles ?? [], part<User>(renamed, 'user').groups], [[], ['g1']]);
    assert.equal((await call(admin.createApiToken, { name: 'own' }, secret)).code, 'PermissionDenied');
    const listed = await call(admin.listApiTokens, { userId: user.id });
    assert.deepEqual(
      part<{ id: string }[]>(listed, 'tokens').map(({ id }) => id),
      [tokenId],
    );
    assert.ok(!JSON.stringify(listed).includes(secret));
    await call(admin.updateUser, { id: user.id, active: false });
    assert.equal((await call(admin.whoAmI, {}, secret)).code, 'Unauthenticated');
    await call(admin.deleteUser, { id: user.id });
    assert.equal((await call(admin.getUser, { id: user.id })).code, 'NotFound');
  }
});

test('admin: own tokens with access-token-admin, other people and their tokens stay out of reach', async () => {
  for (const caller of callers) {
    const member = await home.member(`own-${caller.name}`, ['access-token-admin']);
    const mate = await home.member(`mate-${caller.name}`);
    const own = await caller.call(admin.createApiToken, { name: 'second' }, member.token);
    assert.equal(part<{ userId: string }>(own, 'token').userId, member.id, caller.name);
    assert.equal(
      (await caller.call(admin.createApiToken, { userId: mate.id, name: 'x' }, member.token)).code,
      'PermissionDenied',
    );
    assert.equal((await caller.call(admin.listApiTokens, { userId: mate.id }, member.token)).code, 'PermissionDenied');
    assert.equal((await caller.call(admin.listApiTokens, { allUsers: true }, member.token)).code, 'PermissionDenied');
    const [mates] = await world.store.apiTokens.list(home.orgId, { userId: mate.id }, { offset: 0, limit: 1 });
    assert.equal((await caller.call(admin.deleteApiToken, { id: String(mates?.id) }, member.token)).code, 'NotFound');
    const id = String(part<{ id: string }>(own, 'token').id);
    assert.equal((await caller.call(admin.deleteApiToken, { id }, member.token)).code, 'Ok');
    assert.equal((await caller.call(admin.whoAmI, {}, String(own.body?.secret))).code, 'Unauthenticated');
  }
});

test('K-05 an administrator of one organization cannot raise anybody to the platform, nor act for one who is there', async () => {
  const boss = await home.member('platform', ['platform-admin']);
  const clerk = await home.member('clerk', ['iam-admin']);
  for (const caller of callers) {
    const ask = async (method: (typeof admin)[keyof typeof admin], request: object) =>
      (await caller.call(method, request as never, clerk.token)).code;
    assert.equal(
      await ask(admin.createUser, { name: 'x', roles: ['platform-admin'] }),
      'PermissionDenied',
      caller.name,
    );
    assert.equal(
      await ask(admin.updateUser, { id: clerk.id, roles: { values: ['iam-admin', 'platform-admin'] } }),
      'PermissionDenied',
    );
    assert.equal(await ask(admin.createApiToken, { userId: boss.id, name: 'x' }), 'PermissionDenied');
    assert.equal(await ask(admin.createUser, { name: 'x', roles: ['root'] }), 'InvalidArgument');
    assert.equal(await ask(admin.listOrganizations, {}), 'PermissionDenied');
  }
});

test('admin: a platform administrator makes organizations whose administrator can start at once', async () => {
  const boss = await home.member('founder', ['platform-admin']);
  for (const caller of callers) {
    const made = await caller.call(
      admin.createOrganization,
      { name: `new-${caller.name}`, adminName: 'root@new' },
      boss.token,
    );
    const organization = made.body?.organization as { id: string };
    const secret = String(made.body?.tokenSecret);
    const who = await caller.call(admin.whoAmI, {}, secret);
    assert.equal(part<{ id: string }>(who, 'organization').id, organization.id, caller.name);
    const entitlements = { archiveDaysMin: 30 };
    const entitled = await caller.call(
      admin.setOrganizationEntitlements,
      { id: organization.id, entitlements },
      boss.token,
    );
    assert.deepEqual(part<{ entitlements: object }>(entitled, 'organization').entitlements, entitlements);
    assert.equal(
      (await caller.call(admin.setOrganizationEntitlements, { id: 'none', entitlements }, boss.token)).code,
      'NotFound',
    );
    assert.equal(
      (await caller.call(admin.setOrganizationEntitlements, { id: organization.id, entitlements }, secret)).code,
      'PermissionDenied',
    );
    const seen = await caller.call(admin.getOrganization, { id: organization.id }, boss.token);
    assert.equal(seen.code, 'Ok');
    assert.equal((await caller.call(admin.getOrganization, { id: home.orgId }, secret)).code, 'NotFound');
  }
});
