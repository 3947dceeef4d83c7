import { type Caller, principalArn } from '../core/index.ts';
import type { ConditionFacts } from './types.ts';

/** The part of a request that conditions look at. */
export interface ConditionContext {
  readonly caller: Caller;
  readonly facts: ConditionFacts;
}

export type ConditionValueKind = 'string' | 'bool' | 'ip';

export interface ConditionKey {
  readonly kind: ConditionValueKind;
  /** The values of this request; none = the key is absent. */
  read(context: ConditionContext): readonly string[];
}

/** A key whose value the server answers when asked. */
function fact(name: string, kind: ConditionValueKind): [string, ConditionKey] {
  const asked = name.toLowerCase();
  return [asked, { kind, read: ({ facts }) => asList(facts(asked)) }];
}

/** Keys by lower-case name (AWS: key names ignore case). A new key is a row here. */
const KEYS: ReadonlyMap<string, ConditionKey> = new Map<string, ConditionKey>([
  fact('aws:SourceIp', 'ip'),
  fact('aws:SecureTransport', 'bool'),
  fact('s3:prefix', 'string'),
  fact('s3:delimiter', 'string'),
  fact('s3:max-keys', 'string'),
  [
    'aws:principalarn',
    {
      kind: 'string',
      read: ({ caller }) => (caller.kind === 'principal' ? [principalArn(caller.orgId, caller.principal)] : []),
    },
  ],
  ['cw:principalorgid', { kind: 'string', read: ({ caller }) => (caller.kind === 'principal' ? [caller.orgId] : []) }],
]);

export const CONDITION_KEY_NAMES: readonly string[] = [
  'aws:SourceIp',
  'aws:SecureTransport',
  'aws:PrincipalArn',
  's3:prefix',
  's3:delimiter',
  's3:max-keys',
  'cw:PrincipalOrgID',
  'iam:<ORG-ID>:groups',
];

export function findConditionKey(name: string): ConditionKey | undefined {
  const groups = /^iam:([^:]+):groups$/i.exec(name);
  if (groups !== null) return groupsOf(groups[1]!);
  return KEYS.get(name.toLowerCase());
}

/** Groups count only in the organization that they belong to: equal names elsewhere are other groups (threat A-11). */
function groupsOf(orgId: string): ConditionKey {
  return {
    kind: 'string',
    read: ({ caller }) => (caller.kind === 'principal' && caller.orgId === orgId ? (caller.groups ?? []) : []),
  };
}

function asList(value: string | readonly string[] | undefined): readonly string[] {
  if (value === undefined) return [];
  return typeof value === 'string' ? [value] : value;
}
