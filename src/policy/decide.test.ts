import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ANONYMOUS, type Caller, type Principal, principalName } from '../core/index.ts';
import {
  type AccessResource,
  type BucketPolicy,
  type BucketStatement,
  compileBucketPolicy,
  compileOrganizationPolicies,
  type Decision,
  decide,
  decideCanI,
  type OrganizationStatement,
  parseBucketPolicy,
  parseOrganizationPolicy,
  UNREADABLE_BUCKET_POLICY,
  unreadableOrganizationPolicy,
} from './index.ts';

const callerOf = (orgId: string, principal: Principal, groups?: readonly string[]): Caller => ({
  kind: 'principal',
  orgId,
  principal,
  name: principalName(principal),
  ...(groups === undefined ? {} : { groups }),
});
const ALICE = callerOf('org-a', { kind: 'user', uid: 'U1' });
const MALLORY = callerOf('org-b', { kind: 'user', uid: 'U1' });
const ALL: Partial<OrganizationStatement> = {};

const org = (...statements: Partial<OrganizationStatement>[]) =>
  compileOrganizationPolicies([
    parseOrganizationPolicy({
      version: 'v1alpha1',
      name: 'p',
      statements: statements.map((statement, index) => ({
        name: `s${index}`,
        effect: 'Allow',
        actions: ['*'],
        resources: ['*'],
        principals: ['*'],
        ...statement,
      })),
    }),
  ]);
const bucketPolicy = (...statements: object[]) =>
  compileBucketPolicy(
    parseBucketPolicy(
      JSON.stringify({
        Version: '2012-10-17',
        Statement: statements.map((statement) => ({
          Effect: 'Allow',
          Principal: '*',
          Action: '*',
          Resource: 'arn:aws:s3:::*',
          ...statement,
        })),
      }),
      'data',
    ),
  );
const bucket: AccessResource = { kind: 'bucket', orgId: 'org-a', bucket: 'data' };
const object = (key = 'k', name = 'data'): AccessResource => ({ kind: 'object', orgId: 'org-a', bucket: name, key });
const GLOBAL: AccessResource = { kind: 'global' };

interface Question {
  readonly caller?: Caller;
  readonly action?: string;
  readonly resource?: AccessResource;
  readonly own?: ReturnType<typeof org>;
  readonly owner?: ReturnType<typeof org>;
  readonly policy?: ReturnType<typeof bucketPolicy>;
  readonly roles?: readonly string[];
  readonly facts?: Readonly<Record<string, string | readonly string[]>>;
}
function ask(question: Question): Decision {
  return decide(
    {
      caller: question.caller ?? ALICE,
      action: question.action ?? 's3:GetObject',
      resource: question.resource ?? object(),
      facts: (key) => question.facts?.[key],
    },
    {
      caller: question.own,
      owner: question.owner ?? question.own,
      bucket: question.policy,
      ...(question.roles === undefined ? {} : { roles: question.roles }),
    },
  );
}
const outcome = (question: Question) => {
  const { allow, reason, layer } = ask(question);
  return `${allow ? 'yes' : 'no'} ${reason} ${layer}`;
};

test('A-01 evaluation order', () => {
  assert.equal(outcome({}), 'no no-organization-policy organization');
  assert.equal(outcome({ own: compileOrganizationPolicies([]) }), 'no no-organization-policy organization');
  assert.equal(outcome({ own: org({ actions: ['s3:PutObject'] }) }), 'no organization-policy-no-allow organization');
  assert.equal(outcome({ own: org(ALL, { effect: 'Deny' }) }), 'no organization-policy-deny organization');
  assert.equal(outcome({ own: org({ effect: 'Deny' }, ALL) }), 'no organization-policy-deny organization');
  assert.equal(outcome({ own: org(ALL) }), 'yes allowed organization');
  const own = org(ALL);
  assert.equal(outcome({ own, policy: bucketPolicy({}) }), 'yes allowed bucket');
  assert.equal(outcome({ own, policy: bucketPolicy({ Action: 's3:PutObject' }) }), 'no bucket-policy-no-allow bucket');
  assert.equal(outcome({ own, policy: bucketPolicy({}, { Effect: 'Deny' }) }), 'no bucket-policy-deny bucket');
  assert.equal(outcome({ policy: bucketPolicy({}) }), 'no no-organization-policy organization');
  assert.deepEqual(ask({ own: org({ actions: ['s3:Put*'] }, ALL) }), {
    allow: true,
    reason: 'allowed',
    layer: 'organization',
    policy: 'p',
    statement: 's1',
  });
});

test('A-01 PutBucketPolicy looks at organization policies only', () => {
  const policy = bucketPolicy({ Effect: 'Deny' });
  const put = { action: 's3:PutBucketPolicy', resource: bucket };
  assert.equal(outcome({ ...put, own: org(ALL), policy }), 'yes allowed organization');
  assert.equal(
    outcome({ ...put, own: org({ actions: ['s3:*'], resources: ['data'] }), policy }),
    'yes allowed organization',
  );
  assert.equal(
    outcome({ ...put, own: org({ resources: ['data/*'] }), policy }),
    'no organization-policy-no-allow organization',
  );
  assert.equal(
    outcome({ ...put, action: 's3:GetBucketPolicy', own: org(ALL), policy }),
    'no bucket-policy-deny bucket',
  );
  assert.equal(
    outcome({ ...put, action: 's3:DeleteBucketPolicy', own: org(ALL), policy }),
    'no bucket-policy-deny bucket',
  );
});

test('A-01 global actions need resource * and an organization policy', () => {
  for (const action of ['s3:ListAllMyBuckets', 'cwobject:ListBucketInfo']) {
    assert.equal(outcome({ action, resource: GLOBAL, own: org(ALL) }), 'yes allowed organization', action);
    const narrow = org({ actions: ['*'], resources: ['data', 'data/*', '?*'] });
    assert.equal(outcome({ action, resource: GLOBAL, own: narrow }), 'no organization-policy-no-allow organization');
    assert.equal(outcome({ action, resource: bucket, own: narrow }), 'no organization-policy-no-allow organization');
    assert.equal(
      outcome({ action, resource: bucket, own: org(ALL), policy: bucketPolicy({ Effect: 'Deny' }) }),
      'yes allowed organization',
    );
  }
  assert.equal(outcome({ resource: GLOBAL, own: org(ALL) }), 'no organization-policy-no-allow none');
});

test('A-01 CreateBucket has no bucket policy and is never anonymous', () => {
  const create = { action: 's3:CreateBucket', resource: bucket, policy: bucketPolicy({}) };
  assert.equal(
    outcome({ ...create, own: org(ALL), policy: bucketPolicy({ Effect: 'Deny' }) }),
    'yes allowed organization',
  );
  assert.equal(outcome({ ...create, caller: ANONYMOUS }), 'no anonymous none');
  assert.equal(
    outcome({ caller: ANONYMOUS, action: 's3:ListAllMyBuckets', resource: GLOBAL, own: org(ALL) }),
    'no anonymous none',
  );
});

test('Object Storage Admin has every cwobject action, no S3 action, and only as a platform user', () => {
  const roles = ['object-storage-admin'];
  const create = { action: 'cwobject:CreateAccessKey', resource: GLOBAL, roles };
  assert.equal(outcome(create), 'yes allowed role');
  assert.equal(outcome({ ...create, roles: ['iam-admin'] }), 'no no-organization-policy organization');
  assert.equal(outcome({ ...create, own: org({ effect: 'Deny' }) }), 'no organization-policy-deny organization');
  assert.equal(outcome({ roles }), 'no no-organization-policy organization');
  assert.equal(
    outcome({ roles, action: 's3:ListAllMyBuckets', resource: GLOBAL }),
    'no no-organization-policy organization',
  );
  const workload = callerOf('org-a', { kind: 'oidc', issuer: 'https://idp.test.example', subject: 's' });
  assert.equal(outcome({ ...create, caller: workload }), 'no no-organization-policy organization');
});

test('A-01 nobody locks everybody out: the role keeps what repairs organization policies, and nothing else', () => {
  const roles = ['object-storage-admin'];
  const own = org(ALL, { effect: 'Deny', actions: ['*'] });
  const workload = callerOf('org-a', { kind: 'saml', role: 'Admin' });
  for (const name of ['ListAccessPolicy', 'ensureaccesspolicy', 'DeleteAccessPolicy']) {
    const action = `cwobject:${name}`;
    assert.equal(outcome({ own, roles, action, resource: GLOBAL }), 'yes allowed role');
    assert.equal(decideCanI({ caller: ALICE, action, resource: '*' }, { caller: own, roles }), true);
    for (const powerless of [{}, { roles: ['iam-admin'] }, { roles, caller: workload }]) {
      assert.equal(
        outcome({ own, action, resource: GLOBAL, ...powerless }),
        'no organization-policy-deny organization',
      );
      const { caller = ALICE, ...held } = { caller: ALICE, ...powerless };
      assert.equal(decideCanI({ caller, action, resource: '*' }, { ...held, caller: own }), false);
    }
  }
  for (const action of ['cwobject:CreateAccessKey', 'cwobject:*', 's3:GetObject', '*']) {
    assert.equal(decideCanI({ caller: ALICE, action, resource: '*' }, { caller: own, roles }), false, action);
  }
  const mint = { own, roles, action: 'cwobject:CreateAccessKey', resource: GLOBAL };
  assert.equal(outcome(mint), 'no organization-policy-deny organization');
});

test('C5 both published names of the OIDC mint action mean the same', () => {
  for (const pattern of [
    'cwobject:CreateAccessKeyOIDC',
    'cwobject:createaccesskeyfromoidc',
    'cwobject:CreateAccessKeyFrom*',
  ]) {
    const own = org({ actions: [pattern] });
    for (const action of ['cwobject:CreateAccessKeyOIDC', 'cwobject:CreateAccessKeyFromOIDC']) {
      assert.equal(ask({ action, resource: GLOBAL, own }).allow, true, `${pattern} ${action}`);
    }
  }
});

test('A-02 actions ignore case, nothing else does', () => {
  const own = org({ actions: ['S3:getOBJECT'], resources: ['data/k'], principals: ['coreweave/U1'] });
  assert.equal(ask({ own, action: 's3:GetObject' }).allow, true);
  assert.equal(ask({ own, action: 'S3:GETOBJECT' }).allow, true);
  assert.equal(ask({ own: org({ actions: ['S3:GET*'] }) }).allow, true);
  assert.equal(ask({ own, resource: object('K') }).allow, false);
  assert.equal(ask({ own, resource: object('k', 'Data') }).allow, false);
  assert.equal(ask({ own, caller: callerOf('org-a', { kind: 'user', uid: 'u1' }) }).allow, false);
  assert.equal(ask({ own: org(ALL), policy: bucketPolicy({ Action: 's3:GETobject' }) }).allow, true);
  const arn = { AWS: 'arn:aws:iam::ORG-A:coreweave/U1' };
  assert.equal(ask({ own: org(ALL), policy: bucketPolicy({ Principal: arn }) }).allow, false);
  assert.throws(() => org({ effect: 'allow' as 'Allow' }));
});

test('A-03 a resource is a literal glob over the whole name', () => {
  const rows: readonly (readonly [string, AccessResource, boolean])[] = [
    ['data', bucket, true],
    ['data', object(), false],
    ['data/*', bucket, false],
    ['data/*', object('a/b/c'), true],
    ['data/*', object('x', 'data2'), false],
    ['data*', bucket, true],
    ['data*', object(), true],
    ['data*', object('k', 'database'), true],
    ['dat?', bucket, true],
    ['data?k', object('k'), true],
    ['data/?', object('kk'), false],
    ['data/?', object('😀'), true],
    ['data/*/c', object('a/b/c'), true],
    ['data/pre/*', object('prefix'), false],
    ['*', bucket, true],
    ['*', object('a/b'), true],
    ['*/k', object('k'), true],
    ['data/.*', object('xk'), false],
    ['data/[k]', object('k'), false],
  ];
  for (const [pattern, resource, expected] of rows) {
    const title = `${pattern} ${JSON.stringify(resource)}`;
    assert.equal(ask({ own: org({ resources: [pattern] }), resource }).allow, expected, title);
    assert.equal(ask({ own: org(ALL, { effect: 'Deny', resources: [pattern] }), resource }).allow, !expected, title);
  }
});

const IDP = 'https://idp.test.example';
test('principals: kinds stay apart, an issuer needs its star', () => {
  const workload = callerOf('org-a', { kind: 'oidc', issuer: IDP, subject: 'svc' });
  const admin = callerOf('org-a', { kind: 'saml', role: 'Admin' });
  const disguised = callerOf('org-a', { kind: 'saml', role: `${IDP}:svc` });
  const rows: readonly (readonly [string, Caller, boolean])[] = [
    [`role/${IDP}:svc`, workload, true],
    [`role/${IDP}*`, workload, true],
    [`role/${IDP}`, workload, false],
    [`role/${IDP}/*`, workload, false],
    ['role/Admin', admin, true],
    ['role/*', admin, true],
    ['coreweave/*', admin, false],
    ['static/*', admin, false],
    ['*', admin, true],
    [`role/${IDP}:svc`, disguised, false],
    ['role/*', disguised, false],
    ['*', disguised, true],
    ['role/Admin', callerOf('org-a', { kind: 'user', uid: 'Admin' }), false],
    ['coreweave/U1', callerOf('org-a', { kind: 'saml', role: 'coreweave/U1' }), false],
  ];
  for (const [pattern, caller, expected] of rows) {
    assert.equal(
      ask({ own: org({ principals: [pattern] }), caller }).allow,
      expected,
      `${pattern} ${JSON.stringify(caller)}`,
    );
  }
  const saml = bucketPolicy({ Principal: { CW: 'arn:aws:iam::org-a:saml/Admin' } });
  assert.equal(ask({ own: org(ALL), caller: admin, policy: saml }).allow, true);
  const oidc = bucketPolicy({ Principal: { CW: `arn:aws:iam::org-a:role/${IDP}:svc` } });
  assert.equal(ask({ own: org(ALL), caller: workload, policy: oidc }).allow, true);
  assert.equal(ask({ own: org(ALL), caller: disguised, policy: oidc }).allow, false);
});

test('A-11 an equal short name in another organization is somebody else', () => {
  const owner = org({ principals: ['coreweave/U1'] });
  const own = org(ALL);
  const named = bucketPolicy({ Principal: { AWS: 'arn:aws:iam::org-a:coreweave/U1' } });
  assert.equal(outcome({ caller: MALLORY, own, owner }), 'no other-organization none');
  assert.equal(outcome({ caller: MALLORY, own, owner, policy: named }), 'no bucket-policy-no-allow bucket');
  const invited = bucketPolicy({ Principal: { AWS: 'arn:aws:iam::org-b:coreweave/U1' } });
  assert.equal(outcome({ caller: MALLORY, own, owner, policy: invited }), 'yes allowed bucket');
});

test('A-11 another organization needs its own Allow, the bucket policy, and no Deny for everybody', () => {
  const policy = bucketPolicy({ Principal: { AWS: 'arn:aws:iam::org-b:coreweave/U1' } });
  const both = { caller: MALLORY, own: org(ALL), owner: org(ALL), policy };
  assert.equal(outcome(both), 'yes allowed bucket');
  assert.equal(
    outcome({ ...both, own: org({ actions: ['s3:PutObject'] }) }),
    'no organization-policy-no-allow organization',
  );
  assert.equal(outcome({ ...both, owner: org(ALL, { effect: 'Deny' }) }), 'no organization-policy-deny organization');
  assert.equal(outcome({ ...both, owner: org({ effect: 'Deny', principals: ['coreweave/*'] }) }), 'yes allowed bucket');
  for (const action of ['s3:PutBucketPolicy', 's3:DeleteBucketPolicy']) {
    assert.equal(outcome({ ...both, action, resource: bucket }), 'no other-organization none', action);
  }
});

test('A-11 a group counts in its own organization only', () => {
  const policy = bucketPolicy({ Condition: { 'ForAnyValue:StringEquals': { 'iam:org-a:groups': 'ops' } } });
  const member = (orgId: string) => callerOf(orgId, { kind: 'user', uid: 'U9' }, ['dev', 'ops']);
  assert.equal(ask({ caller: member('org-a'), own: org(ALL), policy }).allow, true);
  assert.equal(ask({ caller: member('org-b'), own: org(ALL), policy }).allow, false);
});

test('anonymous callers get what a bucket policy gives to everybody, no more', () => {
  const anonymous = { caller: ANONYMOUS, owner: org(ALL) };
  assert.equal(outcome(anonymous), 'no anonymous none');
  assert.equal(outcome({ ...anonymous, policy: bucketPolicy({ Action: 's3:GetObject' }) }), 'yes allowed bucket');
  const named = bucketPolicy({ Principal: { AWS: 'arn:aws:iam::org-a:coreweave/U1' } });
  assert.equal(outcome({ ...anonymous, policy: named }), 'no bucket-policy-no-allow bucket');
  const closed = org({ effect: 'Deny', actions: ['s3:Get*'] });
  assert.equal(
    outcome({ caller: ANONYMOUS, owner: closed, policy: bucketPolicy({}) }),
    'no organization-policy-deny organization',
  );
  assert.equal(
    outcome({ ...anonymous, action: 's3:PutBucketPolicy', resource: bucket, policy: bucketPolicy({}) }),
    'no anonymous none',
  );
});

test('A-06 facts about the caller are taken from the caller, not asked for', () => {
  const policy = bucketPolicy({
    Condition: {
      StringEquals: { 'cw:PrincipalOrgID': 'org-b', 'aws:PrincipalArn': 'arn:aws:iam::org-b:coreweave/U1' },
    },
  });
  const facts = {
    'cw:principalorgid': 'org-b',
    'aws:principalarn': 'arn:aws:iam::org-b:coreweave/U1',
    'iam:org-b:groups': ['ops'],
  };
  assert.equal(ask({ own: org(ALL), policy, facts }).allow, false);
  assert.equal(ask({ caller: MALLORY, own: org(ALL), policy }).allow, true);
  const groups = bucketPolicy({ Condition: { StringEquals: { 'iam:org-b:groups': 'ops' } } });
  assert.equal(ask({ caller: MALLORY, own: org(ALL), policy: groups, facts }).allow, false);
});

const oddStatement = (effect: 'Allow' | 'Deny', condition: { operator: string; key: string }): BucketStatement => ({
  effect,
  principals: ['*'],
  actions: ['*'],
  resources: ['arn:aws:s3:::*'],
  conditions: [{ ...condition, values: ['a'] }],
});

test('A-04 a condition that cannot be evaluated denies in a Deny and does not allow in an Allow', () => {
  const odd = [
    { operator: 'StringSounds', key: 's3:prefix' },
    { operator: 'StringEquals', key: 'aws:FromTheFuture' },
    { operator: 'IpAddress', key: 'aws:SourceIp' },
  ];
  for (const condition of odd) {
    const allow: BucketPolicy = { version: '2012-10-17', statements: [oddStatement('Allow', condition)] };
    assert.equal(outcome({ own: org(ALL), policy: compileBucketPolicy(allow) }), 'no bucket-policy-no-allow bucket');
    const everybody = { ...oddStatement('Allow', condition), conditions: [] };
    const deny: BucketPolicy = { version: '2012-10-17', statements: [everybody, oddStatement('Deny', condition)] };
    assert.equal(outcome({ own: org(ALL), policy: compileBucketPolicy(deny) }), 'no bucket-policy-deny bucket');
  }
  const unreadable = bucketPolicy({}, { Effect: 'Deny', Condition: { IpAddress: { 'aws:SourceIp': '192.0.2.0/24' } } });
  assert.equal(ask({ own: org(ALL), policy: unreadable, facts: { 'aws:sourceip': 'elsewhere' } }).allow, false);
  assert.equal(ask({ own: org(ALL), policy: unreadable, facts: { 'aws:sourceip': '198.51.100.1' } }).allow, true);
});

test('A-05 a stored policy that cannot be read any more refuses, and can be replaced', () => {
  const own = org(ALL);
  assert.equal(outcome({ own, policy: UNREADABLE_BUCKET_POLICY }), 'no bucket-policy-deny bucket');
  const repair = { own, policy: UNREADABLE_BUCKET_POLICY, action: 's3:PutBucketPolicy', resource: bucket };
  assert.equal(outcome(repair), 'yes allowed organization');
  const broken = compileOrganizationPolicies([
    parseOrganizationPolicy({
      version: 'v1alpha1',
      name: 'p',
      statements: [{ name: 's', effect: 'Allow', actions: ['*'], resources: ['*'], principals: ['*'] }],
    }),
    unreadableOrganizationPolicy('old'),
  ]);
  assert.equal(outcome({ own: broken }), 'no organization-policy-deny organization');
  assert.equal(
    outcome({ own: broken, action: 'cwobject:EnsureAccessPolicy', resource: GLOBAL }),
    'yes allowed organization',
  );
});

test('can-i over patterns: everything allowed and nothing refused', () => {
  const rows: readonly (readonly [ReturnType<typeof org>, string, string, boolean])[] = [
    [org(ALL), 's3:GetObject', '*', true],
    [org({ resources: ['data/*'] }), 's3:GetObject', '*', false],
    [org({ resources: ['data/*'] }), 's3:GetObject', 'data/pre/*', true],
    [org({ resources: ['data/*'] }), 's3:GetObject', 'data', false],
    [org(ALL, { effect: 'Deny', resources: ['secret/*'] }), 's3:GetObject', '*', false],
    [org(ALL, { effect: 'Deny', resources: ['secret/*'] }), 's3:GetObject', 'data/*', true],
    [org(ALL, { effect: 'Deny', actions: ['s3:Put*'] }), 's3:*', '*', false],
    [org(ALL, { effect: 'Deny', actions: ['s3:Put*'] }), 's3:Get*', '*', true],
    [org({ actions: ['s3:Get*'] }), 's3:*', '*', false],
    [org(ALL), 'cwobject:ListBucketInfo', '*', true],
    [org({ resources: ['data'] }), 'cwobject:ListBucketInfo', 'data', false],
    [org({ principals: ['coreweave/U2'] }), 's3:GetObject', '*', false],
  ];
  for (const [caller, action, resource, expected] of rows) {
    assert.equal(decideCanI({ caller: ALICE, action, resource }, { caller }), expected, `${action} ${resource}`);
  }
  assert.equal(
    decideCanI(
      { caller: ALICE, action: 'cwobject:X', resource: '*' },
      { caller: undefined, roles: ['object-storage-admin'] },
    ),
    true,
  );
  assert.equal(decideCanI({ caller: ANONYMOUS, action: 's3:GetObject', resource: '*' }, { caller: org(ALL) }), false);
});

test('statements with long lists are found through every entry, among many others', () => {
  const many = (name: (index: number) => string) => Array.from({ length: 300 }, (_, index) => name(index));
  const long = {
    actions: ['s3:GetObject', 's3:PutObject'],
    resources: many((index) => (index % 3 === 0 ? `b${index}/x*` : `b${index}/k`)),
    principals: many((index) => (index % 3 === 0 ? `coreweave/W${index}-*` : `coreweave/N${index}`)),
  };
  const crowd = Array.from({ length: 40 }, (_, index) => ({
    actions: [`s3:Act${index}`],
    resources: ['b1/k'],
    principals: ['coreweave/N2'],
  }));
  const own = org(long, ...crowd, {
    effect: 'Deny',
    actions: ['s3:PutObject'],
    resources: ['b1/k'],
    principals: ['coreweave/N2'],
  });
  const may = (uid: string, bucketName: string, key: string, action = 's3:GetObject') =>
    ask({ own, caller: callerOf('org-a', { kind: 'user', uid }), action, resource: object(key, bucketName) }).allow;
  for (const uid of ['N1', 'N299', 'W0-a', 'W297-']) {
    assert.equal(may(uid, 'b1', 'k'), true, uid);
    assert.equal(may(uid, 'b297', 'xyz'), true, uid);
    assert.equal(may(uid, 'b297', 'k'), false, uid);
  }
  assert.equal(may('N300', 'b1', 'k'), false);
  assert.equal(may('W1-a', 'b1', 'k'), false);
  assert.equal(may('N2', 'b1', 'k', 's3:PutObject'), false);
  assert.equal(may('N1', 'b1', 'k', 's3:PutObject'), true);
  assert.equal(may('N2', 'b1', 'k', 's3:Act39'), true);
  assert.equal(may('N2', 'b1', 'k', 's3:Act40'), false);
});
