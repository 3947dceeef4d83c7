import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Failure } from '../core/index.ts';
import { parseOrganizationPolicy } from './organization-grammar.ts';

const statement = {
  name: 'readers',
  effect: 'Allow',
  actions: ['s3:GetObject', 's3:List*'],
  resources: ['data', 'data/*'],
  principals: ['coreweave/U1', 'role/Admin', 'role/https://idp.test.example:svc', 'static/K1', 'role/https://idp*'],
};
const policy = { version: 'v1alpha1', name: 'team readers', statements: [statement] };

function fieldsOf(value: unknown): readonly string[] {
  try {
    parseOrganizationPolicy(value);
    return [];
  } catch (error) {
    assert.ok(error instanceof Failure, String(error));
    assert.equal(error.code, 'invalid');
    return error.violations.map((violation) => violation.field);
  }
}
const withStatement = (change: object) => ({ ...policy, statements: [{ ...statement, ...change }] });

test('a well-formed organization policy comes back as it was', () => {
  assert.deepEqual(parseOrganizationPolicy(policy), policy);
  assert.deepEqual(fieldsOf(withStatement({ actions: ['*'], resources: ['*'], principals: ['*'] })), []);
  assert.deepEqual(fieldsOf(withStatement({ actions: ['S3:getobject', 'CWObject:*'], resources: ['*'] })), []);
  assert.deepEqual(fieldsOf(withStatement({ actions: ['s3:ListAllMyBuckets', 's3:ListBucket'] })), []);
});

const CASES: readonly (readonly [string, unknown, string])[] = [
  [
    'full ARN as principal',
    withStatement({ principals: ['arn:aws:iam::o:coreweave/U1'] }),
    'statements[0].principals[0]',
  ],
  ['full ARN as resource', withStatement({ resources: ['data', 'arn:aws:s3:::data/*'] }), 'statements[0].resources[1]'],
  ['group as principal', withStatement({ principals: ['group/admin'] }), 'statements[0].principals[0]'],
  ['e-mail address as principal', withStatement({ principals: ['a@b.example'] }), 'statements[0].principals[0]'],
  ['kind of principal cut off', withStatement({ principals: ['role/'] }), 'statements[0].principals[0]'],
  ['wildcard across kinds', withStatement({ principals: ['r*'] }), 'statements[0].principals[0]'],
  ['unknown version', { ...policy, version: '2012-10-17' }, 'version'],
  ['no version', { name: 'x', statements: [statement] }, 'version'],
  ['effect in other case', withStatement({ effect: 'allow' }), 'statements[0].effect'],
  ['no statements', { ...policy, statements: [] }, 'statements'],
  ['no actions', withStatement({ actions: [] }), 'statements[0].actions'],
  ['no resources', withStatement({ resources: [] }), 'statements[0].resources'],
  ['no principals', withStatement({ principals: undefined }), 'statements[0].principals'],
  ['conditions', withStatement({ conditions: {} }), 'statements[0].conditions'],
  ['unknown member', { ...policy, id: 1 }, 'id'],
  ['__proto__ member', JSON.parse(`{"__proto__":{"name":"x"},"version":"v1alpha1","statements":[]}`), '__proto__'],
  ['foreign service', withStatement({ actions: ['iam:PassRole'] }), 'statements[0].actions[0]'],
  ['wildcard service', withStatement({ actions: ['s*:GetObject'] }), 'statements[0].actions[0]'],
  [
    'cwobject action on a bucket',
    withStatement({ actions: ['cwobject:CreateAccessKey'] }),
    'statements[0].resources[0]',
  ],
  [
    'cwobject action beside *',
    withStatement({ actions: ['s3:Get*', 'CWOBJECT:*'], resources: ['*', 'data'] }),
    'statements[0].resources[1]',
  ],
  [
    'only ListAllMyBuckets on a bucket',
    withStatement({ actions: ['s3:ListAllMyBuckets'] }),
    'statements[0].resources[0]',
  ],
  ['name with a slash', { ...policy, name: 'a/b' }, 'name'],
  ['name ..', { ...policy, name: '..' }, 'name'],
  ['name with a control character', { ...policy, name: 'a\u0000b' }, 'name'],
  ['name too long', { ...policy, name: 'n'.repeat(129) }, 'name'],
  ['same statement name twice', { ...policy, statements: [statement, statement] }, 'statements[1].name'],
  ['number as action', withStatement({ actions: [7] }), 'statements[0].actions[0]'],
  ['string for a list', withStatement({ resources: 'data' }), 'statements[0].resources'],
  ['no object at all', [], ''],
  ['null', null, ''],
];
for (const [title, value, field] of CASES) {
  test(`K-10 organization policy refused: ${title}`, () =>
    assert.ok(fieldsOf(value).includes(field), `${fieldsOf(value)}`));
}

test('K-10 a policy over the size limit is refused, one at the limit is not', () => {
  const filled = (bytes: number) => {
    const base = { ...policy, statements: [{ ...statement, resources: [] as string[] }] };
    const list = base.statements[0]!.resources;
    while (Buffer.byteLength(JSON.stringify(base)) + 1003 < bytes) list.push('k'.repeat(1000));
    list.push('k'.repeat(bytes - Buffer.byteLength(JSON.stringify(base)) - (list.length > 0 ? 3 : 2)));
    assert.equal(Buffer.byteLength(JSON.stringify(base)), bytes);
    return base;
  };
  assert.deepEqual(fieldsOf(filled(64 * 1024)), []);
  assert.deepEqual(fieldsOf(filled(64 * 1024 + 1)), ['']);
});

test('K-10 all problems are told at once, with their places', () => {
  const broken = { ...policy, version: 'v2', statements: [{ ...statement, effect: 'DENY', actions: ['x'], extra: 1 }] };
  assert.deepEqual(fieldsOf(broken), [
    'version',
    'statements[0].extra',
    'statements[0].effect',
    'statements[0].actions[0]',
  ]);
});
