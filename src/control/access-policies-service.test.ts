import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import fc from 'fast-check';
import {
  CWObject,
  CWObjectPolicySchema,
  EnsureAccessPolicyRequestSchema,
} from '../../proto/gen/coreweave/cwobject/v1/cwobject_pb.js';
import { decide } from '../policy/index.ts';
import { CWOBJECT_ACCESS } from './access.ts';
import { openWorld, type Tenant, type World } from './test-support.ts';
import { type Caller, fetchJson, openCallers } from './test-support-clients.ts';

const cw = CWObject.method;
let world: World;
let home: Tenant;
let callers: readonly Caller[];

before(async () => {
  world = await openWorld();
  home = await world.organization('home');
  callers = openCallers(world);
});
after(async () => {
  for (const caller of callers) caller.close();
  await world.close();
});

const statement = {
  name: 'read two buckets',
  effect: 'Allow',
  actions: ['s3:GetObject', 's3:ListBucket'],
  resources: ['lab-a', 'lab-a/*'],
  principals: ['role/Viewer', 'coreweave/u7Kq2ExampleUid', '*'],
};
const policy = { version: 'v1alpha1', name: 'team readers', statements: [statement] };

test('organization policies read back exactly, replace by name, and are gone when deleted', async () => {
  for (const caller of callers) {
    const list = async () => (await caller.call(cw.listAccessPolicies, {}, home.adminToken)).body?.policies;
    for (const actions of [['s3:GetObject'], ['s3:Get*', 's3:PutObject']]) {
      const changed = { ...policy, statements: [{ ...statement, actions }] };
      const ensured = await caller.call(cw.ensureAccessPolicy, { policy: changed }, home.adminToken);
      assert.deepEqual([ensured.code, ensured.body], ['Ok', {}]);
      assert.deepEqual(await list(), [changed], caller.name);
    }
    assert.equal((await caller.call(cw.deleteAccessPolicy, { name: policy.name }, home.adminToken)).code, 'Ok');
    assert.deepEqual((await list()) ?? [], [], caller.name);
    assert.equal((await caller.call(cw.deleteAccessPolicy, { name: policy.name }, home.adminToken)).code, 'NotFound');
  }
});

const BAD_POLICIES: Record<string, object> = {
  'full ARN': { ...policy, statements: [{ ...statement, principals: ['arn:aws:iam::a1b2c3:coreweave/x'] }] },
  'unknown version': { ...policy, version: 'v1' },
  'effect in other case': { ...policy, statements: [{ ...statement, effect: 'allow' }] },
  'empty principals': { ...policy, statements: [{ ...statement, principals: [] }] },
  'no statements': { ...policy, statements: [] },
  'no name': { ...policy, name: '' },
  'cwobject action on a bucket': { ...policy, statements: [{ ...statement, actions: ['cwobject:CreateAccessKey'] }] },
  'over the size limit': {
    ...policy,
    statements: [{ ...statement, resources: Array.from({ length: 900 }, (_, i) => `b/${'x'.repeat(200)}${i}`) }],
  },
};

test('K-10 policies outside the grammar: 400/3 with field violations over every transport, stored policies KEEP', async () => {
  await callers[0]?.call(cw.ensureAccessPolicy, { policy }, home.adminToken);
  for (const caller of callers) {
    for (const [what, bad] of Object.entries(BAD_POLICIES)) {
      const answer = await caller.call(cw.ensureAccessPolicy, { policy: bad } as never, home.adminToken);
      assert.equal(answer.code, 'InvalidArgument', `${what} over ${caller.name}`);
      if (caller.json) assert.match(JSON.stringify(answer.body?.details), /google\.rpc\.BadRequest.*fieldViolations/);
    }
    const kept = await caller.call(cw.listAccessPolicies, {}, home.adminToken);
    assert.deepEqual(kept.body?.policies, [policy], caller.name);
  }
});

test('K-10 an unknown member is an error, in JSON and in binary, and a missing wrapper too', async () => {
  const unknown = { policy: { ...policy, statements: [{ ...statement, conditions: { StringEquals: {} } }] } };
  for (const body of [unknown, policy, { policy: { ...policy, Conditions: [] } }]) {
    for (const path of ['/v1/cwobject/access-policy', '/cwobject.v1.CWObject/EnsureAccessPolicy']) {
      const init = {
        method: 'POST',
        headers: { authorization: `Bearer ${home.adminToken}`, 'content-type': 'application/json' },
      };
      const response = await fetch(world.http1Url + path, { ...init, body: JSON.stringify(body) });
      assert.equal(response.status, 400, path);
      await response.body?.cancel();
    }
  }
  // Field 15, length-delimited, one byte: what a newer schema might call conditions.
  const bytes = Buffer.concat([
    toBinary(CWObjectPolicySchema, create(CWObjectPolicySchema, policy)),
    Buffer.of(0x7a, 1, 0x41),
  ]);
  const request = create(EnsureAccessPolicyRequestSchema, { policy: fromBinary(CWObjectPolicySchema, bytes) });
  for (const caller of callers.filter(({ name }) => /binary|grpc/.test(name)))
    assert.equal(
      (await caller.call(cw.ensureAccessPolicy, request, home.adminToken)).code,
      'InvalidArgument',
      caller.name,
    );
});

test('a policy change is in force for every decision when the call has answered', async () => {
  const member = await home.member('late-comer');
  const grant = {
    version: 'v1alpha1',
    name: 'grant',
    statements: [
      {
        name: 's',
        effect: 'Allow',
        actions: ['cwobject:ListBucketInfo'],
        resources: ['*'],
        principals: [member.principal],
      },
    ],
  };
  for (const caller of callers) {
    assert.equal((await caller.call(cw.listBucketInfo, {}, member.token)).code, 'PermissionDenied', caller.name);
    await caller.call(cw.ensureAccessPolicy, { policy: grant }, home.adminToken);
    assert.equal((await caller.call(cw.listBucketInfo, {}, member.token)).code, 'Ok', caller.name);
    await caller.call(cw.deleteAccessPolicy, { name: 'grant' }, home.adminToken);
  }
});

test('K-11 readers during replacement see the old or the new policy, whole', async () => {
  const [caller] = callers as [Caller];
  const member = await home.member('reader', [], ['cwobject:ListAccessPolicy']);
  const versions = ['one', 'two'].map((word) => ({
    version: 'v1alpha1',
    name: 'flip',
    statements: ['a', 'b', 'c'].map((name) => ({ ...statement, name, resources: [`${word}/*`] })),
  }));
  await caller.call(cw.ensureAccessPolicy, { policy: versions[0] } as never, home.adminToken);
  let writing = true;
  const reader = (async () => {
    let reads = 0;
    for (; writing; reads += 1) {
      const list = (await caller.call(cw.listAccessPolicies, {}, member.token)).body?.policies as typeof versions;
      const flip = list.find(({ name }) => name === 'flip');
      assert.ok(versions.some((version) => JSON.stringify(version.statements) === JSON.stringify(flip?.statements)));
    }
    return reads;
  })();
  for (let turn = 0; turn < 40; turn += 1)
    await caller.call(cw.ensureAccessPolicy, { policy: versions[turn % 2] } as never, home.adminToken);
  writing = false;
  assert.ok((await reader) > 0);
});

test('P-15 can-i: every action on every resource, for the caller only, within limits', async () => {
  const member = await home.member('asker', [], ['s3:GetObject', 'cwobject:ListBucketInfo']);
  for (const caller of callers) {
    const ask = async (actions: string[], resources: string[]) =>
      (await caller.call(cw.authCanI, { actions, resources }, member.token)).body?.verdict ?? false;
    assert.equal(await ask(['s3:GetObject'], ['any/thing', '*']), true, caller.name);
    assert.equal(await ask(['S3:getobject', 'cwobject:ListBucketInfo'], ['*']), true);
    assert.equal(await ask(['s3:GetObject', 's3:PutObject'], ['*']), false);
    assert.equal(
      (await caller.call(cw.authCanI, { actions: [], resources: ['*'] }, member.token)).code,
      'InvalidArgument',
    );
    assert.equal((await caller.call(cw.authCanI, { actions: ['s3:GetObject'] }, member.token)).code, 'InvalidArgument');
    const many = (count: number) => Array.from({ length: count }, (_, index) => `any/${index}`);
    assert.equal(await ask(['s3:GetObject'], many(1000)), true);
    for (const [actions, resources] of [
      [['s3:GetObject', 's3:GetObject'], many(501)],
      [['s3:GetObject'], ['x'.repeat(1089)]],
      [['x'.repeat(1089)], ['*']],
    ] as const) {
      const refused = await caller.call(
        cw.authCanI,
        { actions: [...actions], resources: [...resources] },
        member.token,
      );
      assert.equal(refused.code, 'InvalidArgument', caller.name);
    }
  }
  const named = await fetchJson(`${world.http1Url}/v1/cwobject/auth/can-i`, {
    method: 'POST',
    headers: { authorization: `Bearer ${member.token}` },
    body: JSON.stringify({ actions: ['s3:GetObject'], resources: ['*'], principal: `coreweave/${home.adminId}` }),
  });
  assert.equal(named.code, 'InvalidArgument');
});

test('A-14 can-i against the real decision: 1,000 random triples', async () => {
  const tenant = await world.organization('random');
  const members = [await tenant.member('r0'), await tenant.member('r1', ['object-storage-admin'])];
  const actions = [
    's3:GetObject',
    's3:PutObject',
    's3:ListBucket',
    's3:ListAllMyBuckets',
    'cwobject:CreateAccessKey',
    'cwobject:ListBucketInfo',
  ];
  const resources = ['a', 'a/x', 'a/x/y', 'ab/x', 'b', 'b/z'];
  const patterns = ['*', 'a', 'a/*', 'a*', 'b/?', 'a/x'];
  const subset = <T>(items: readonly T[]) => fc.subarray([...items], { minLength: 1 });
  const statements = fc.array(
    fc.record({
      effect: fc.constantFrom('Allow', 'Allow', 'Deny'),
      actions: subset(['s3:*', 's3:Get*', '*', ...actions]),
      resources: subset(patterns),
      principals: subset(['*', 'role/x', ...members.map(({ principal }) => principal)]),
    }),
    { minLength: 1, maxLength: 4 },
  );
  const drawn = fc.sample(statements, { numRuns: 30, seed: 14 });
  let asked = 0;
  const verdicts = new Set<boolean>();
  const [caller] = callers as [Caller];
  for (const random of drawn) {
    const named = random.map((one, index) => {
      const global = one.actions.some((action) => action.startsWith('cwobject:') || action === 's3:ListAllMyBuckets');
      return { name: `s${index}`, ...one, resources: global ? ['*'] : one.resources };
    });
    const ensured = await caller.call(
      cw.ensureAccessPolicy,
      { policy: { version: 'v1alpha1', name: 'random', statements: named } },
      tenant.adminToken,
    );
    if (ensured.code === 'PermissionDenied') await world.store.policies.remove(tenant.orgId, 'random');
    if (ensured.code !== 'Ok') continue;
    const set = await world.ports.policySets.forOrganization(tenant.orgId);
    for (const member of members) {
      const proved = await world.identity.authenticate(member.token);
      for (const action of actions) {
        for (const text of resources) {
          const cut = text.indexOf('/');
          const resource =
            cut < 0
              ? ({ kind: 'bucket', orgId: tenant.orgId, bucket: text } as const)
              : ({
                  kind: 'object',
                  orgId: tenant.orgId,
                  bucket: text.slice(0, cut),
                  key: text.slice(cut + 1),
                } as const);
          const real = decide(
            { caller: proved.caller, action, resource, facts: () => undefined },
            { caller: set, owner: set, bucket: undefined, roles: proved.user.roles },
          ).allow;
          const answer = await caller.call(cw.authCanI, { actions: [action], resources: [text] }, member.token);
          assert.equal(answer.body?.verdict, real, `${action} on ${text}: ${JSON.stringify(named)}`);
          if (action === 'cwobject:ListBucketInfo') {
            const call = await caller.call(cw.listBucketInfo, {}, member.token);
            assert.equal(call.code === 'Ok', real, JSON.stringify(named));
          }
          verdicts.add(real);
          asked += 1;
        }
      }
    }
  }
  assert.ok(asked >= 1000, `${asked} triples`);
  assert.equal(verdicts.size, 2);
  assert.equal(CWOBJECT_ACCESS.authCanI.right.kind, 'authenticated');
});
