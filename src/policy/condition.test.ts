import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Caller } from '../core/index.ts';
import { compileCondition, type Verdict } from './condition.ts';

const CALLER: Caller = { kind: 'principal', orgId: 'o', principal: { kind: 'user', uid: 'U' }, name: 'coreweave/U' };
const KEY = 's3:prefix';
type Fact = string | readonly string[] | undefined;

function judge(operator: string, values: readonly string[], fact: Fact, key = KEY): Verdict {
  return compileCondition({ operator, key, values })({
    caller: CALLER,
    facts: (name) => (name === key.toLowerCase() ? fact : undefined),
  });
}

/** Columns: key absent, empty list, one value that is in the policy, one that is not, one of each. */
const FACTS: readonly Fact[] = [undefined, [], 'a', 'x', ['a', 'x']];
const TRUTH: readonly (readonly [string, string])[] = [
  ['StringEquals', 'nnyny'],
  ['StringNotEquals', 'yynyn'],
  ['StringEqualsIfExists', 'yyyny'],
  ['StringNotEqualsIfExists', 'yynyn'],
  ['ForAnyValue:StringEquals', 'nnyny'],
  ['ForAnyValue:StringNotEquals', 'nnnyy'],
  ['ForAllValues:StringEquals', 'yyynn'],
  ['ForAllValues:StringNotEquals', 'yynyn'],
  ['ForAnyValue:StringEqualsIfExists', 'yyyny'],
  ['ForAllValues:StringEqualsIfExists', 'yyynn'],
  ['StringLike', 'nnyny'],
  ['StringNotLike', 'yynyn'],
  ['StringEqualsIgnoreCase', 'nnyny'],
  ['StringNotEqualsIgnoreCase', 'yynyn'],
];
for (const [operator, row] of TRUTH) {
  test(`A-04 truth table of ${operator}`, () => {
    const got = FACTS.map((fact) => (judge(operator, ['a', 'b'], fact) ? 'y' : 'n')).join('');
    assert.equal(got, row);
  });
}

test('A-04 Null asks for presence', () => {
  assert.equal(FACTS.map((fact) => (judge('Null', ['true'], fact) ? 'y' : 'n')).join(''), 'yynnn');
  assert.equal(FACTS.map((fact) => (judge('Null', ['false'], fact) ? 'y' : 'n')).join(''), 'nnyyy');
});

test('A-04 Bool: absent is no, text that is no truth value cannot be told', () => {
  const key = 'aws:SecureTransport';
  assert.equal(judge('Bool', ['true'], 'true', key), true);
  assert.equal(judge('Bool', ['false'], 'true', key), false);
  assert.equal(judge('Bool', ['false'], undefined, key), false);
  assert.equal(judge('BoolIfExists', ['false'], undefined, key), true);
  assert.equal(judge('Bool', ['true'], 'maybe', key), undefined);
});

test('A-04 addresses: both families, networks, mapped addresses', () => {
  const key = 'aws:SourceIp';
  const networks = ['192.0.2.0/24', '2001:db8::/32', '198.51.100.7'];
  const rows: readonly (readonly [Fact, Verdict, Verdict])[] = [
    ['192.0.2.255', true, false],
    ['192.0.3.0', false, true],
    ['198.51.100.7', true, false],
    ['198.51.100.8', false, true],
    ['2001:db8:1::1', true, false],
    ['2001:db9::1', false, true],
    ['::ffff:192.0.2.9', true, false],
    ['not an address', undefined, undefined],
    [undefined, false, true],
  ];
  for (const [fact, positive, negative] of rows) {
    assert.equal(judge('IpAddress', networks, fact, key), positive, `${fact}`);
    assert.equal(judge('NotIpAddress', networks, fact, key), negative, `${fact}`);
  }
});

test('StringLike knows wildcards, StringEquals takes them literally, case matters', () => {
  assert.equal(judge('StringLike', ['home/*/x?'], 'home/a/b/x1'), true);
  assert.equal(judge('StringLike', ['HOME/*'], 'home/a'), false);
  assert.equal(judge('StringEquals', ['home/*'], 'home/a'), false);
  assert.equal(judge('StringEquals', ['home/*'], 'home/*'), true);
  assert.equal(judge('StringEqualsIgnoreCase', ['HOME'], 'home'), true);
});
