import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Failure } from '../core/index.ts';
import { parseBucketPolicy } from './bucket-grammar.ts';

const statement = {
  Sid: 'readers',
  Effect: 'Allow',
  Principal: { AWS: 'arn:aws:iam::org-a:coreweave/U1', CW: ['arn:aws:iam::org-a:saml/G1'] },
  Action: 's3:GetObject',
  Resource: ['arn:aws:s3:::data/*'],
};
const policy = { Version: '2012-10-17', Id: 'p', Statement: [statement] };
const withStatement = (change: object) => ({ ...policy, Statement: [{ ...statement, ...change }] });
const withCondition = (condition: unknown) => withStatement({ Condition: condition });

function fieldsOf(value: unknown): readonly string[] {
  try {
    parseBucketPolicy(typeof value === 'string' ? value : JSON.stringify(value), 'data');
    return [];
  } catch (error) {
    assert.ok(error instanceof Failure, String(error));
    assert.equal(error.code, 'invalid');
    return error.violations.length === 0 ? ['-'] : error.violations.map((violation) => violation.field);
  }
}

test('a bucket policy is read with strings and lists alike', () => {
  assert.deepEqual(
    parseBucketPolicy(
      JSON.stringify(withCondition({ StringEquals: { 's3:prefix': 'a', 'aws:SecureTransport': [true] } })),
      'data',
    ),
    {
      version: '2012-10-17',
      id: 'p',
      statements: [
        {
          sid: 'readers',
          effect: 'Allow',
          principals: ['arn:aws:iam::org-a:coreweave/U1', 'arn:aws:iam::org-a:saml/G1'],
          actions: ['s3:GetObject'],
          resources: ['arn:aws:s3:::data/*'],
          conditions: [
            { operator: 'StringEquals', key: 's3:prefix', values: ['a'] },
            { operator: 'StringEquals', key: 'aws:SecureTransport', values: ['true'] },
          ],
        },
      ],
    },
  );
});

const ACCEPTED: readonly (readonly [string, unknown])[] = [
  ['one statement without a list', { ...policy, Statement: statement }],
  ['the older version', { ...policy, Version: '2008-10-17' }],
  ['everybody', withStatement({ Principal: '*' })],
  ['no principal', withStatement({ Principal: undefined })],
  ['the resource that reaches everywhere', withStatement({ Resource: 'arn:aws:s3:::*' })],
  ['a wildcard that meets this bucket', withStatement({ Resource: 'arn:aws:s3:::dat*' })],
  ['the audit writer', withStatement({ Principal: { CW: 'arn:aws:iam::coreweave:static/audit-logs' } })],
  ['the inventory writer', withStatement({ Principal: { CW: 'arn:aws:iam::static:role/static/inventory' } })],
  ['an OIDC workload', withStatement({ Principal: { CW: 'arn:aws:iam::o:role/https://idp.test.example/x:a:b' } })],
  [
    'every operator',
    withCondition({
      'ForAnyValue:StringEquals': { 'iam:org-a:groups': ['g'] },
      'ForAllValues:StringLikeIfExists': { 'iam:org-a:groups': ['g*'] },
      StringNotEquals: { 'cw:PrincipalOrgID': 'o' },
      StringNotLike: { 'aws:PrincipalArn': '*' },
      StringEqualsIgnoreCase: { 's3:delimiter': '/' },
      StringNotEqualsIgnoreCase: { 's3:max-keys': '10' },
      Bool: { 'AWS:SECURETRANSPORT': 'false' },
      Null: { 's3:prefix': 'true' },
      IpAddress: { 'aws:SourceIp': ['192.0.2.0/24', '2001:db8::/32'] },
      NotIpAddressIfExists: { 'aws:SourceIp': '198.51.100.7' },
    }),
  ],
];
for (const [title, value] of ACCEPTED) {
  test(`bucket policy accepted: ${title}`, () => assert.deepEqual(fieldsOf(value), []));
}

const REFUSED: readonly (readonly [string, unknown, string])[] = [
  ['NotAction', withStatement({ NotAction: 's3:GetObject' }), 'Statement[0].NotAction'],
  ['NotPrincipal', withStatement({ NotPrincipal: '*' }), 'Statement[0].NotPrincipal'],
  ['NotResource', withStatement({ NotResource: '*' }), 'Statement[0].NotResource'],
  ['unknown member', { ...policy, Comment: '' }, 'Comment'],
  ['unknown operator', withCondition({ DateEquals: { 's3:prefix': 'a' } }), 'Statement[0].Condition.DateEquals'],
  [
    'operator in other case',
    withCondition({ stringequals: { 's3:prefix': 'a' } }),
    'Statement[0].Condition.stringequals',
  ],
  [
    'Null with IfExists',
    withCondition({ NullIfExists: { 's3:prefix': 'true' } }),
    'Statement[0].Condition.NullIfExists',
  ],
  [
    'inherited operator name',
    withCondition({ constructor: { 's3:prefix': 'a' } }),
    'Statement[0].Condition.constructor',
  ],
  [
    'unknown key',
    withCondition({ StringEquals: { 'aws:Foo': 'a' } }),
    'Statement[0].Condition.StringEquals["aws:Foo"]',
  ],
  [
    'null as value',
    withCondition({ StringEquals: { 's3:prefix': ['a', null] } }),
    'Statement[0].Condition.StringEquals["s3:prefix"][1]',
  ],
  [
    'empty list of values',
    withCondition({ StringEquals: { 's3:prefix': [] } }),
    'Statement[0].Condition.StringEquals["s3:prefix"]',
  ],
  [
    'address that is none',
    withCondition({ IpAddress: { 'aws:SourceIp': '10.0.0.0/33' } }),
    'Statement[0].Condition.IpAddress["aws:SourceIp"]',
  ],
  [
    'address operator on text',
    withCondition({ IpAddress: { 's3:prefix': '10.0.0.1' } }),
    'Statement[0].Condition.IpAddress["s3:prefix"]',
  ],
  [
    'Bool that is none',
    withCondition({ Bool: { 'aws:SecureTransport': 'yes' } }),
    'Statement[0].Condition.Bool["aws:SecureTransport"]',
  ],
  ['policy variable', withStatement({ Resource: 'arn:aws:s3:::data/$\u007baws:username}/*' }), 'Statement[0].Resource'],
  ['empty operator', withCondition({ StringEquals: {} }), 'Statement[0].Condition.StringEquals'],
  ['condition that is a list', withCondition([]), 'Statement[0].Condition'],
  ['unknown action', withStatement({ Action: ['s3:GetObject', 's3:GetObjekt'] }), 'Statement[0].Action[1]'],
  ['pattern that meets no action', withStatement({ Action: 's3:Objekt*' }), 'Statement[0].Action'],
  ['cwobject action', withStatement({ Action: 'cwobject:*' }), 'Statement[0].Action'],
  ['another bucket', withStatement({ Resource: 'arn:aws:s3:::other/*' }), 'Statement[0].Resource'],
  ['a longer bucket', withStatement({ Resource: 'arn:aws:s3:::data2/*' }), 'Statement[0].Resource'],
  ['resource without ARN', withStatement({ Resource: 'data/*' }), 'Statement[0].Resource'],
  ['principal without ARN', withStatement({ Principal: { AWS: 'coreweave/U1' } }), 'Statement[0].Principal.AWS'],
  [
    'wildcard in a principal',
    withStatement({ Principal: { AWS: 'arn:aws:iam::o:coreweave/*' } }),
    'Statement[0].Principal.AWS',
  ],
  [
    'principal without organization',
    withStatement({ Principal: { AWS: 'arn:aws:iam:::coreweave/U' } }),
    'Statement[0].Principal.AWS',
  ],
  ['unknown kind of principal map', withStatement({ Principal: { Service: 'x' } }), 'Statement[0].Principal.Service'],
  ['null principal', withStatement({ Principal: null }), 'Statement[0].Principal'],
  ['effect in other case', withStatement({ Effect: 'ALLOW' }), 'Statement[0].Effect'],
  ['unknown version', { ...policy, Version: '2012-10-18' }, 'Version'],
  ['no statement', { Version: '2012-10-17' }, 'Statement'],
  ['Sid twice', { ...policy, Statement: [statement, statement] }, 'Statement[1].Sid'],
  ['text that is no JSON', '{"Version":"2012-10-17"', '-'],
  ['trailing text', `${JSON.stringify(policy)}x`, '-'],
  ['a list', '[]', '-'],
  ['over 20 KiB', JSON.stringify({ ...policy, Id: 'x'.repeat(20 * 1024) }), '-'],
];
for (const [title, value, field] of REFUSED) {
  test(`A-05 bucket policy refused when stored: ${title}`, () =>
    assert.ok(fieldsOf(value).includes(field), `${fieldsOf(value)}`));
}
