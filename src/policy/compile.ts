import { canonicalAction } from './actions.ts';
import { compileCondition } from './condition.ts';
import { compileIndex, type StatementIndex, type StatementSource } from './statement-index.ts';
import type { BucketPolicy, OrganizationPolicy } from './types.ts';

/** All policies of one organization, ready for decisions. Opaque; make a new one whenever a policy changes. */
export interface CompiledOrganizationPolicies {
  readonly policyCount: number;
  readonly index: StatementIndex;
}

/** One bucket's policy, ready for decisions. Opaque. */
export interface CompiledBucketPolicy {
  readonly index: StatementIndex;
}

export const BUCKET_ARN_PREFIX = 'arn:aws:s3:::';

/** Takes what `parseOrganizationPolicy` gave; one pass over all statements. */
export function compileOrganizationPolicies(policies: readonly OrganizationPolicy[]): CompiledOrganizationPolicies {
  return { policyCount: policies.length, index: compileIndex(organizationSources(policies)) };
}

function* organizationSources(policies: readonly OrganizationPolicy[]): Generator<StatementSource> {
  for (const policy of policies) {
    for (const statement of policy.statements) {
      yield {
        policy: policy.name,
        name: statement.name,
        effect: statement.effect,
        principals: statement.principals,
        actions: statement.actions.map(canonicalAction),
        resources: statement.resources,
        conditions: [],
      };
    }
  }
}

/** Takes what `parseBucketPolicy` gave. */
export function compileBucketPolicy(policy: BucketPolicy): CompiledBucketPolicy {
  return { index: compileIndex(bucketSources(policy)) };
}

function* bucketSources(policy: BucketPolicy): Generator<StatementSource> {
  for (const statement of policy.statements) {
    if (statement.principals === undefined) continue;
    yield {
      policy: undefined,
      name: statement.sid,
      effect: statement.effect,
      principals: statement.principals,
      actions: statement.actions.map(canonicalAction),
      resources: statement.resources.map((resource) => resource.slice(BUCKET_ARN_PREFIX.length)),
      conditions: statement.conditions.map(compileCondition),
    };
  }
}

/**
 * Stands in for a stored organization policy that can no longer be read: whatever it refused must stay refused, so
 * nothing gets through but what is needed to mend it (threat A-05).
 */
export function unreadableOrganizationPolicy(name: string): OrganizationPolicy {
  const statement = {
    name: 'stored policy cannot be read',
    effect: 'Deny' as const,
    actions: ['s3:*', 'cwobject:CreateAccessKey*'],
    resources: ['*'],
    principals: ['*'],
  };
  return { version: 'v1alpha1', name, statements: [statement] };
}

/** Stands in for a stored bucket policy that can no longer be read: refuses everybody; replacing it is still possible. */
export const UNREADABLE_BUCKET_POLICY: CompiledBucketPolicy = compileBucketPolicy({
  version: '2012-10-17',
  statements: [
    {
      sid: 'stored policy cannot be read',
      effect: 'Deny',
      principals: ['*'],
      actions: ['*'],
      resources: [`${BUCKET_ARN_PREFIX}*`],
      conditions: [],
    },
  ],
});
