import assert from 'node:assert/strict';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { type Client, Code, ConnectError } from '@connectrpc/connect';
import { AccessKeyStatus, type Admin, type CWObject } from '../../sdk/index.ts';
import type { TestServer } from '../server.ts';

export interface Clients {
  readonly objects: Client<typeof CWObject>;
  readonly admin: Client<typeof Admin>;
}

/**
 * Calls every method of both services once or more and checks the answers. `name` keeps rounds over different
 * transports apart; `bucket` exists. Answers the names of the methods that were called.
 */
export async function everyMethod(
  clients: Clients,
  server: TestServer,
  name: string,
  bucket: string,
): Promise<ReadonlySet<string>> {
  const called = new Set<string>();
  const counted = { objects: counting(clients.objects, called), admin: counting(clients.admin, called) };
  await organizations(counted, server, name);
  const principal = await users(counted, name);
  await tokens(counted);
  await policies(counted, name);
  await buckets(counted, server, bucket);
  await keys(counted, server, principal, name);
  await exchanges(counted);
  return called;
}

function counting<T extends object>(client: T, called: Set<string>): T {
  return new Proxy(client, {
    get(target, property, receiver) {
      if (typeof property === 'string') called.add(property);
      return Reflect.get(target, property, receiver);
    },
  });
}

/** Any transport's error has to become this one. */
export async function refusedWith(call: Promise<unknown>, code: Code, message?: RegExp): Promise<ConnectError> {
  let caught: unknown;
  await call.catch((error: unknown) => {
    caught = error;
  });
  assert(caught instanceof ConnectError, `not refused: ${String(caught)}`);
  assert.equal(Code[caught.code], Code[code], caught.message);
  if (message !== undefined) assert.match(caught.rawMessage, message);
  return caught;
}

async function organizations({ admin, objects }: Clients, server: TestServer, name: string): Promise<void> {
  const me = await admin.whoAmI({});
  assert.equal(me.user?.principalName, server.principal);
  assert.equal(me.organization?.id, server.orgId);
  assert.equal((await admin.getOrganization({})).organization?.id, server.orgId);
  const created = await admin.createOrganization({ name: `org ${name}`, adminName: `admin-${name}` });
  const id = created.organization?.id ?? '';
  assert.match(created.tokenSecret, /^CW-SECRET-/);
  assert.equal(created.admin?.orgId, id);
  const listed = await admin.listOrganizations({});
  assert(listed.organizations.some((organization) => organization.id === id));
  const entitled = await admin.setOrganizationEntitlements({ id, entitlements: { archiveDaysMin: 60 } });
  assert.equal(entitled.organization?.entitlements?.archiveDaysMin, 60);
  const { settings } = await objects.setOrganizationSettings({
    settings: { controlPlaneAuditLoggingEnabled: true },
  });
  assert.equal(settings?.controlPlaneAuditLoggingEnabled, true);
  await refusedWith(admin.getOrganization({ id: 'nowhere' }), Code.NotFound);
}

async function users({ admin }: Clients, name: string): Promise<string> {
  const { user } = await admin.createUser({
    name: `user-${name}`,
    displayName: 'Müller 東京',
    roles: ['iam-viewer'],
    groups: ['g1', 'g2'],
  });
  assert(user);
  assert.deepEqual([user.active, user.displayName, user.groups], [true, 'Müller 東京', ['g1', 'g2']]);
  assert.deepEqual((await admin.getUser({ id: user.id })).user, user);
  assert((await admin.listUsers({ limit: 1000 })).users.some(({ id }) => id === user.id));
  const updated = await admin.updateUser({ id: user.id, roles: { values: [] }, displayName: '' });
  assert.deepEqual([updated.user?.roles, updated.user?.groups], [[], ['g1', 'g2']], 'absent fields stay');
  await refusedWith(admin.createUser({ name: `user-${name}` }), Code.AlreadyExists);
  await admin.deleteUser({ id: user.id });
  await refusedWith(admin.getUser({ id: user.id }), Code.NotFound);
  return user.principalName;
}

async function tokens({ admin }: Clients): Promise<void> {
  const end = Math.floor(Date.now() / 1000) * 1000 + 3_600_000;
  const made = await admin.createApiToken({ name: 'short', note: 'a note', expireTime: timestampFromMs(end) });
  assert.match(made.secret, /^CW-SECRET-/);
  const id = made.token?.id ?? '';
  const listed = (await admin.listApiTokens({})).tokens.find((token) => token.id === id);
  assert.equal(listed?.note, 'a note');
  assert.equal(listed?.expireTime?.seconds, BigInt(end / 1000));
  await admin.deleteApiToken({ id });
  await refusedWith(admin.deleteApiToken({ id }), Code.NotFound);
}

async function policies({ objects }: Clients, name: string): Promise<void> {
  const policy = {
    version: 'v1alpha1',
    name: `policy ${name.replaceAll('/', ' ')}`,
    statements: [
      {
        name: 'reads',
        effect: 'Deny',
        actions: ['s3:GetObject', 's3:List*'],
        resources: ['never-there', 'never-there/*'],
        principals: ['role/Viewer', '*'],
      },
    ],
  };
  await objects.ensureAccessPolicy({ policy });
  await objects.ensureAccessPolicy({ policy });
  const { policies } = await objects.listAccessPolicies({});
  const found = policies.filter((one) => one.name === policy.name);
  assert.equal(found.length, 1);
  const { $typeName: _policy, statements, ...rest } = found[0] as NonNullable<(typeof found)[0]>;
  const plain = statements.map(({ $typeName: _statement, ...statement }) => statement);
  assert.deepEqual({ ...rest, statements: plain }, policy);
  await refusedWith(objects.ensureAccessPolicy({ policy: { ...policy, version: 'v2' } }), Code.InvalidArgument);
  await objects.deleteAccessPolicy({ name: policy.name });
  await refusedWith(objects.deleteAccessPolicy({ name: policy.name }), Code.NotFound);
  assert.equal((await objects.authCanI({ actions: ['s3:GetObject'], resources: ['*'] })).verdict, true);
  await refusedWith(objects.authCanI({ actions: [], resources: ['*'] }), Code.InvalidArgument);
}

async function buckets({ objects }: Clients, server: TestServer, bucket: string): Promise<void> {
  const { info } = await objects.listBucketInfo({});
  assert(info.some((one) => one.name === bucket));
  const set = await objects.setBucketSettings({
    bucketName: bucket,
    settings: { auditLoggingEnabled: false, capacityCapBytes: 2n ** 53n + 1n },
  });
  assert.equal(set.settings?.auditLoggingEnabled, false);
  assert.equal(set.settings?.configuredCapacityCapBytes, 2n ** 53n + 1n);
  const one = (await objects.getBucketInfo({ bucketName: bucket })).info;
  assert.deepEqual([one?.orgId, one?.location], [server.orgId, 'US-EAST-04A']);
  assert.equal(one?.settings?.auditLoggingEnabled, false);
  assert(one?.usage.some(({ measurementType }) => measurementType.includes('BYTES')));
  await refusedWith(objects.getBucketInfo({ bucketName: 'never-there' }), Code.NotFound);
  await refusedWith(
    objects.setBucketSettings({ bucketName: bucket, settings: { archiveEnabled: true } }),
    Code.PermissionDenied,
  );
}

async function keys({ objects }: Clients, server: TestServer, other: string, name: string): Promise<void> {
  const temporary = await objects.createAccessKeyFromJWT({ durationSeconds: 900, attributes: { name } });
  assert.match(temporary.accessKeyId, /^CW[A-Z0-9]{14}$/);
  assert.match(temporary.secretKey, /^cwo.{40}$/);
  assert.equal(temporary.principalName, server.principal);
  const life = Number(temporary.expiry?.seconds) * 1000 - Date.now();
  assert(life > 840_000 && life <= 900_000, `${life}`);
  const permanent = await objects.createAccessKeyFromJWT({ durationSeconds: 0 });
  assert.equal(permanent.expiry, undefined, 'permanent keys have no expiry over Connect and gRPC');
  await refusedWith(objects.createAccessKeyFromJWT({ durationSeconds: 43_201 }), Code.InvalidArgument);
  await refusedWith(objects.createAccessKeyFromJWT({}), Code.InvalidArgument);

  const { info } = await objects.getAccessKeyInfo({ accessKeyId: temporary.accessKeyId });
  assert.deepEqual([info?.status, info?.attributes.name, info?.orgId], ['ACTIVE', name, server.orgId]);
  const listed = await objects.listAccessKeyInfo({ limit: 1000, status: AccessKeyStatus.ACTIVE });
  assert(listed.info.some(({ accessKeyId }) => accessKeyId === permanent.accessKeyId));
  await refusedWith(objects.listAccessKeyInfo({ limit: 1001 }), Code.InvalidArgument);

  await objects.updateAccessKeyStatus({ principalName: other, status: AccessKeyStatus.SUSPENDED });
  await objects.updateAccessKeyStatus({ principalName: other, status: AccessKeyStatus.ACTIVE });
  await refusedWith(objects.updateAccessKeyStatus({ principalName: other }), Code.InvalidArgument);
  for (const accessKey of [temporary.accessKeyId, permanent.accessKeyId]) {
    await objects.revokeAccessKeyByAccessKey({ accessKey });
  }
  await objects.revokeAccessKeysByPrincipal({ principalName: other });
  await refusedWith(objects.revokeAccessKeyByAccessKey({ accessKey: 'CWAAAAAAAAAAAAAA' }), Code.NotFound);
}

async function exchanges({ objects }: Clients): Promise<void> {
  const first = await objects.createAccessKeyFromApiToken({});
  const second = await objects.createAccessKeyFromApiToken({});
  assert.match(first.accessKeyId, /^CW[A-Z0-9]{14}$/);
  assert.equal(first.accessKeyId, second.accessKeyId);
  assert.equal(first.token, '');
  await refusedWith(objects.createAccessKeyFromSAML({ orgId: 'x', samlResponse: 'eA==' }), Code.Unimplemented);
  await refusedWith(objects.createAccessKeyFromOIDC({ orgId: 'x', oidcToken: 'a.b.c' }), Code.Unimplemented);
  await refusedWith(objects.createAccessKeyFromContainerCreds({ orgId: 'x' }), Code.Unimplemented);
}
