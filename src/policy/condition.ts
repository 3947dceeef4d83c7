import { BlockList, isIP } from 'node:net';
import {
  type ConditionContext,
  type ConditionKey,
  type ConditionValueKind,
  findConditionKey,
} from './condition-keys.ts';
import { compileMatcher, matches } from './matcher.ts';
import type { BucketCondition } from './types.ts';

/** Undefined: it cannot be told. A Deny then denies, an Allow does not allow (threat A-04). */
export type Verdict = boolean | undefined;

export type CompiledCondition = (context: ConditionContext) => Verdict;

/** How one base operator compares one value of the request with the values of the policy. */
interface Comparison {
  /** What is wrong with a value in the policy, if anything. */
  problem?(value: string): string | undefined;
  compile(values: readonly string[]): (actual: string) => Verdict;
  /** Kinds of keys it makes sense for; all when absent. */
  readonly kinds?: readonly ConditionValueKind[];
}

const equals: Comparison = {
  compile(values) {
    const wanted = new Set(values);
    return (actual) => wanted.has(actual);
  },
};

const equalsIgnoreCase: Comparison = {
  compile(values) {
    const wanted = new Set(values.map((value) => value.toLowerCase()));
    return (actual) => wanted.has(actual.toLowerCase());
  },
};

const like: Comparison = {
  compile(values) {
    const matcher = compileMatcher(values);
    return (actual) => matches(matcher, actual);
  },
};

const bool: Comparison = {
  kinds: ['bool'],
  problem: (value) => (/^(?:true|false)$/i.test(value) ? undefined : 'must be "true" or "false"'),
  compile(values) {
    const wanted = new Set(values.map((value) => value.toLowerCase()));
    return (actual) => (/^(?:true|false)$/i.test(actual) ? wanted.has(actual.toLowerCase()) : undefined);
  },
};

const ipAddress: Comparison = {
  kinds: ['ip'],
  problem: (value) =>
    parseNetwork(value) === undefined
      ? 'must be an address or a network such as "192.0.2.0/24" or "2001:db8::/32"'
      : undefined,
  compile(values) {
    const networks = new BlockList();
    for (const value of values) {
      const network = parseNetwork(value);
      if (network !== undefined) networks.addSubnet(network.address, network.bits, network.family);
    }
    return (actual) => {
      const plain = plainAddress(actual);
      const version = isIP(plain);
      return version === 0 ? undefined : networks.check(plain, version === 4 ? 'ipv4' : 'ipv6');
    };
  },
};

/** A dual-stack listener reports IPv4 peers as `::ffff:192.0.2.1`; policies are written with the IPv4 form. */
function plainAddress(address: string): string {
  return /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1] ?? address;
}

function parseNetwork(text: string): { address: string; bits: number; family: 'ipv4' | 'ipv6' } | undefined {
  const [address = '', suffix, ...rest] = text.split('/');
  const version = isIP(address);
  if (version === 0 || rest.length > 0 || address.includes('%')) return undefined;
  const width = version === 4 ? 32 : 128;
  if (suffix !== undefined && !/^(?:0|[1-9]\d{0,2})$/.test(suffix)) return undefined;
  const bits = suffix === undefined ? width : Number(suffix);
  return bits <= width ? { address, bits, family: version === 4 ? 'ipv4' : 'ipv6' } : undefined;
}

/** Base operators; negated ones hold when the comparison does not. A new operator is a row here. */
const OPERATORS: ReadonlyMap<string, { readonly comparison: Comparison; readonly negated: boolean }> = new Map([
  ['StringEquals', { comparison: equals, negated: false }],
  ['StringNotEquals', { comparison: equals, negated: true }],
  ['StringEqualsIgnoreCase', { comparison: equalsIgnoreCase, negated: false }],
  ['StringNotEqualsIgnoreCase', { comparison: equalsIgnoreCase, negated: true }],
  ['StringLike', { comparison: like, negated: false }],
  ['StringNotLike', { comparison: like, negated: true }],
  ['Bool', { comparison: bool, negated: false }],
  ['IpAddress', { comparison: ipAddress, negated: false }],
  ['NotIpAddress', { comparison: ipAddress, negated: true }],
]);

interface Operator {
  readonly set: 'one' | 'any' | 'all';
  readonly ifExists: boolean;
  readonly base: { readonly comparison: Comparison; readonly negated: boolean } | 'Null';
}

function parseOperator(text: string): Operator | undefined {
  // `Null` asks for presence itself, so neither a prefix nor IfExists means anything with it.
  if (text === 'Null') return { set: 'one', ifExists: false, base: 'Null' };
  const parts = /^(?:(ForAnyValue|ForAllValues):)?([A-Za-z]+?)(IfExists)?$/.exec(text);
  const base = OPERATORS.get(parts?.[2] ?? '');
  if (parts === null || base === undefined) return undefined;
  const set = parts[1] === undefined ? 'one' : parts[1] === 'ForAnyValue' ? 'any' : 'all';
  return { set, ifExists: parts[3] !== undefined, base };
}

export const OPERATOR_NAMES: readonly string[] = [...OPERATORS.keys(), 'Null'];

export function operatorKnown(operator: string): boolean {
  return parseOperator(operator) !== undefined;
}

/** What is wrong with using the operator on this key with this value, if anything. */
export function valueProblem(operatorText: string, keyText: string, value: string): string | undefined {
  const operator = parseOperator(operatorText);
  if (operator === undefined) return undefined;
  if (operator.base === 'Null') return bool.problem?.(value);
  const { kinds, problem } = operator.base.comparison;
  const key = findConditionKey(keyText);
  if (key !== undefined && kinds !== undefined && !kinds.includes(key.kind)) {
    return `${operatorText} does not work with ${keyText}`;
  }
  return problem?.(value);
}

/** Never throws: what this server does not know (a policy stored by a newer one) compiles to "cannot be told". */
export function compileCondition(condition: BucketCondition): CompiledCondition {
  const operator = parseOperator(condition.operator);
  const key = findConditionKey(condition.key);
  if (operator === undefined || key === undefined || condition.values.length === 0) return () => undefined;
  if (condition.values.some((value) => valueProblem(condition.operator, condition.key, value) !== undefined)) {
    return () => undefined;
  }
  return operator.base === 'Null'
    ? compileNull(key, condition.values)
    : compileComparison(operator, operator.base, key, condition.values);
}

function compileNull(key: ConditionKey, values: readonly string[]): CompiledCondition {
  const wanted = new Set(values.map((value) => value.toLowerCase() === 'true'));
  return (context) => wanted.has(key.read(context).length === 0);
}

function compileComparison(
  operator: Operator,
  base: { readonly comparison: Comparison; readonly negated: boolean },
  key: ConditionKey,
  values: readonly string[],
): CompiledCondition {
  const compare = base.comparison.compile(values);
  const { negated } = base;
  const absent = operator.ifExists || operator.set === 'all' || (operator.set === 'one' && negated);
  return (context) => {
    const actual = key.read(context);
    if (actual.length === 0) return absent;
    const each = actual.map(compare);
    // Without a set prefix a negated operator means "no value matches", the opposite of the positive one.
    if (operator.set === 'one') return negated ? not(some(each)) : some(each);
    const held = negated ? each.map(not) : each;
    return operator.set === 'any' ? some(held) : not(some(held.map(not)));
  };
}

function some(verdicts: readonly Verdict[]): Verdict {
  if (verdicts.includes(true)) return true;
  return verdicts.includes(undefined) ? undefined : false;
}

function not(verdict: Verdict): Verdict {
  return verdict === undefined ? undefined : !verdict;
}

/** All conditions of a statement together: one plain no decides, whatever cannot be told about the others. */
export function evaluateConditions(conditions: readonly CompiledCondition[], context: ConditionContext): Verdict {
  let verdict: Verdict = true;
  for (const condition of conditions) {
    const held = condition(context);
    if (held === false) return false;
    if (held === undefined) verdict = undefined;
  }
  return verdict;
}
