import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ANONYMOUS, type Caller, principalName } from '../core/index.ts';
import {
  type AccessRequest,
  type BucketPolicy,
  compileBucketPolicy,
  compileOrganizationPolicies,
  decide,
  decideCanI,
  type OrganizationPolicy,
} from './index.ts';

/*
 * A second evaluator, written from the contract's prose with no index and no compilation: it walks every statement and
 * matches patterns by definition. Both must agree on random policies made of colliding names.
 */
function glob(pattern: string, text: string): boolean {
  if (pattern === '') return text === '';
  if (pattern[0] === '*') return glob(pattern.slice(1), text) || (text !== '' && glob(pattern, text.slice(1)));
  return text !== '' && (pattern[0] === '?' || pattern[0] === text[0]) && glob(pattern.slice(1), text.slice(1));
}
const anyGlob = (patterns: readonly string[], text: string) => patterns.some((pattern) => glob(pattern, text));

interface World {
  readonly request: AccessRequest;
  readonly organizations: Readonly<Record<string, readonly OrganizationPolicy[]>>;
  readonly bucketPolicy: BucketPolicy | undefined;
}

const isGlobal = (action: string) => /^cwobject:|^s3:listallmybuckets$/i.test(action);
function nameOf({ resource }: AccessRequest): string {
  if (resource.kind === 'object') return `${resource.bucket}/${resource.key}`;
  return resource.kind === 'bucket' ? resource.bucket : '';
}

function organizationSays(world: World, orgId: string, everybodyOnly: boolean): { deny: boolean; allow: boolean } {
  const { request, organizations } = world;
  const { caller } = request;
  const matching = (organizations[orgId] ?? [])
    .flatMap((policy) => policy.statements)
    .filter((statement) =>
      anyGlob(
        statement.actions.map((a) => a.toLowerCase()),
        request.action.toLowerCase(),
      ),
    )
    .filter((statement) =>
      isGlobal(request.action) ? statement.resources.includes('*') : anyGlob(statement.resources, nameOf(request)),
    )
    .filter(({ principals }) =>
      everybodyOnly || caller.kind === 'anonymous' ? principals.includes('*') : anyGlob(principals, caller.name),
    );
  return {
    deny: matching.some((statement) => statement.effect === 'Deny'),
    allow: matching.some((statement) => statement.effect === 'Allow'),
  };
}

function bucketSays({ request, bucketPolicy }: World): { deny: boolean; allow: boolean } {
  const { caller } = request;
  const arn = caller.kind === 'anonymous' ? '' : `arn:aws:iam::${caller.orgId}:${caller.name}`;
  const matching = (bucketPolicy?.statements ?? [])
    .filter((statement) =>
      anyGlob(
        statement.actions.map((a) => a.toLowerCase()),
        request.action.toLowerCase(),
      ),
    )
    .filter((statement) => anyGlob(statement.resources, `arn:aws:s3:::${nameOf(request)}`))
    .filter(({ principals = [] }) => principals.includes('*') || principals.includes(arn))
    .filter(({ conditions }) =>
      conditions.every(({ operator, key, values }) => {
        const fact = request.facts(key.toLowerCase());
        const equal = typeof fact === 'string' && values.includes(fact);
        return operator === 'StringNotEquals' ? !equal : equal;
      }),
    );
  return {
    deny: matching.some((statement) => statement.effect === 'Deny'),
    allow: matching.some((statement) => statement.effect === 'Allow'),
  };
}

function expected(world: World): boolean {
  const { caller, action, resource } = world.request;
  const lower = action.toLowerCase();
  const global = isGlobal(action);
  if (resource.kind === 'global' && !global) return false;
  if (caller.kind === 'anonymous') {
    if (global || resource.kind === 'global') return false;
    if (['s3:createbucket', 's3:putbucketpolicy', 's3:deletebucketpolicy'].includes(lower)) return false;
  } else {
    const own = organizationSays(world, caller.orgId, false);
    if (own.deny || !own.allow) return false;
    if (global || resource.kind === 'global' || lower === 's3:createbucket') return true;
    const foreign = caller.orgId !== resource.orgId;
    if (foreign && ['s3:putbucketpolicy', 's3:deletebucketpolicy'].includes(lower)) return false;
    if (lower === 's3:putbucketpolicy') return true;
    if (!foreign && world.bucketPolicy === undefined) return true;
    if (!foreign) return bucketSays(world).allow && !bucketSays(world).deny;
  }
  if (organizationSays(world, resource.orgId, true).deny) return false;
  return bucketSays(world).allow && !bucketSays(world).deny;
}

const ACTIONS = [
  's3:GetObject',
  's3:GetBucketPolicy',
  's3:PutBucketPolicy',
  's3:DeleteBucketPolicy',
  's3:CreateBucket',
];
const GLOBALS = ['s3:ListAllMyBuckets', 'cwobject:ListBucketInfo'];
const users = ['U1', 'U12', 'V'].map((uid) => ({ kind: 'user' as const, uid }));
const workloads = ['a', 'b'].map((subject) => ({ kind: 'oidc' as const, issuer: 'https://idp.test.example', subject }));
const principals = [...users, ...workloads, { kind: 'saml' as const, role: 'Admin' }];
const callers: readonly Caller[] = ['a', 'b'].flatMap((orgId) =>
  principals.map((principal) => ({ kind: 'principal' as const, orgId, principal, name: principalName(principal) })),
);

const some = <T>(...items: readonly T[]) => fc.uniqueArray(fc.constantFrom(...items), { minLength: 1, maxLength: 3 });
const effect = fc.constantFrom('Allow' as const, 'Allow' as const, 'Deny' as const);
const actions = some('*', 's3:*', 'S3:Get*', 's3:*Policy', 'cwobject:*', 's3:?etObject', ...ACTIONS, ...GLOBALS);
const resources = some('*', 'data', 'data/*', 'data*', 'dat?', 'data/a*', 'data/a/b', 'data?a/b', '*b', 'database');
const organizationPolicy: fc.Arbitrary<OrganizationPolicy> = fc.record({
  version: fc.constant('v1alpha1' as const),
  name: fc.constant('p'),
  statements: fc.array(
    fc.record({
      name: fc.constant('s'),
      effect,
      actions,
      resources,
      principals: some(
        '*',
        'coreweave/U1',
        'coreweave/U1*',
        'coreweave/?1',
        'role/*',
        'role/https://idp*',
        'role/Admin',
      ),
    }),
    { minLength: 1, maxLength: 12 },
  ),
});
const bucketPolicy: fc.Arbitrary<BucketPolicy> = fc.record({
  version: fc.constant('2012-10-17' as const),
  statements: fc.array(
    fc.record({
      effect,
      principals: some(
        '*',
        ...callers.map((c) => (c.kind === 'principal' ? `arn:aws:iam::${c.orgId}:${c.name}` : '*')),
      ),
      actions,
      resources: resources.map((list) => list.map((resource) => `arn:aws:s3:::${resource}`)),
      conditions: fc.array(
        fc.record({
          operator: fc.constantFrom('StringEquals', 'StringNotEquals'),
          key: fc.constantFrom('s3:prefix', 's3:delimiter'),
          values: some('x', 'y'),
        }),
        { maxLength: 1 },
      ),
    }),
    { minLength: 1, maxLength: 4 },
  ),
});
const policies = fc.array(organizationPolicy, { maxLength: 3 });
const resource = fc.oneof(
  fc.constant({ kind: 'global' as const }),
  fc.record({ kind: fc.constant('bucket' as const), orgId: fc.constantFrom('a', 'b'), bucket: fc.constant('data') }),
  fc.record({
    kind: fc.constant('object' as const),
    orgId: fc.constantFrom('a', 'b'),
    bucket: fc.constant('data'),
    key: fc.constantFrom('a', 'a/b', 'z'),
  }),
);
const world = fc.record({
  organizations: fc.record({ a: policies, b: policies }),
  bucketPolicy: fc.option(bucketPolicy, { nil: undefined }),
  questions: fc.array(
    fc.record({
      caller: fc.constantFrom(ANONYMOUS, ...callers),
      action: fc.constantFrom(...ACTIONS, ...GLOBALS),
      resource,
      fact: fc.constantFrom(undefined, 'x', 'z'),
    }),
    { minLength: 5, maxLength: 10 },
  ),
});

test('decide agrees with a straightforward evaluator on random policies and requests', () => {
  let asked = 0;
  let allowed = 0;
  fc.assert(
    fc.property(world, ({ organizations, bucketPolicy, questions }) => {
      const compiled = {
        a: compileOrganizationPolicies(organizations.a),
        b: compileOrganizationPolicies(organizations.b),
      };
      const bucket = bucketPolicy && compileBucketPolicy(bucketPolicy);
      const of = (orgId: string | undefined) => (orgId === 'a' ? compiled.a : orgId === 'b' ? compiled.b : undefined);
      for (const { caller, action, resource, fact } of questions) {
        const request: AccessRequest = { caller, action, resource, facts: () => fact };
        const set = {
          caller: of(caller.kind === 'principal' ? caller.orgId : undefined),
          owner: of(resource.kind === 'global' ? undefined : resource.orgId),
          bucket,
        };
        const decision = decide(request, set);
        assert.equal(decision.allow, expected({ request, organizations, bucketPolicy }), JSON.stringify(decision));
        assert.equal(decision.allow, decision.reason === 'allowed');
        asked++;
        if (decision.allow) allowed++;
      }
    }),
    { numRuns: 4_000 },
  );
  assert.ok(asked >= 20_000 && allowed > asked / 50, `${asked} questions, ${allowed} allowed`);
});

test('A-14 can-i answers as the decision does, 1,000 random triples and more', () => {
  let triples = 0;
  fc.assert(
    fc.property(
      policies,
      fc.array(fc.tuple(fc.constantFrom(...callers), fc.constantFrom(...ACTIONS), resource)),
      (own, asked) => {
        const caller = compileOrganizationPolicies(own);
        for (const [who, action, what] of asked) {
          if (what.kind === 'global' || who.kind === 'anonymous') continue;
          triples++;
          const request: AccessRequest = {
            caller: who,
            action,
            resource: { ...what, orgId: who.orgId },
            facts: () => undefined,
          };
          const verdict = decide(request, { caller, owner: caller, bucket: undefined }).allow;
          assert.equal(decideCanI({ caller: who, action, resource: nameOf(request) }, { caller }), verdict);
        }
      },
    ),
    { numRuns: 1_000 },
  );
  assert.ok(triples >= 1_000, `${triples} triples`);
});
