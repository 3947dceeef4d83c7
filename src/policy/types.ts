import type { Caller } from '../core/index.ts';

/** An organization policy as data: contract control-plane 7.1. */
export interface OrganizationPolicy {
  readonly version: 'v1alpha1';
  readonly name: string;
  readonly statements: readonly OrganizationStatement[];
}

export interface OrganizationStatement {
  readonly name: string;
  readonly effect: Effect;
  readonly actions: readonly string[];
  readonly resources: readonly string[];
  readonly principals: readonly string[];
}

export type Effect = 'Allow' | 'Deny';

/** A bucket policy as data: contract control-plane 7.6, s3-data-plane 8; the stored text itself is kept elsewhere. */
export interface BucketPolicy {
  readonly version: '2012-10-17' | '2008-10-17';
  readonly id?: string;
  readonly statements: readonly BucketStatement[];
}

export interface BucketStatement {
  readonly sid?: string;
  readonly effect: Effect;
  /** `*` or full ARNs, whichever of the `AWS` and `CW` members they came in. Absent = written without; matches nobody. */
  readonly principals?: readonly string[];
  readonly actions: readonly string[];
  /** As written, with `arn:aws:s3:::`. */
  readonly resources: readonly string[];
  /** All must hold. */
  readonly conditions: readonly BucketCondition[];
}

export interface BucketCondition {
  /** As written, e.g. `ForAnyValue:StringLikeIfExists`. */
  readonly operator: string;
  /** As written, e.g. `aws:SourceIp`. */
  readonly key: string;
  /** One of them has to match (for negated operators: none may). */
  readonly values: readonly string[];
}

/** What an action is done to. `orgId` is the organization that owns the bucket. */
export type AccessResource =
  | { readonly kind: 'global' }
  | { readonly kind: 'bucket'; readonly orgId: string; readonly bucket: string }
  | { readonly kind: 'object'; readonly orgId: string; readonly bucket: string; readonly key: string };

/**
 * Facts for policy conditions, made by the server only (threat A-06): asked for by lower-case key name when a statement
 * needs them, so that a request whose policies have no conditions pays nothing. Undefined or an empty list = the key is
 * absent. What follows from the caller (`aws:PrincipalArn`, `cw:PrincipalOrgID`, `iam:<ORG-ID>:groups`) is never asked
 * for: the decision takes it from the caller itself.
 */
export type ConditionFacts = (key: string) => string | readonly string[] | undefined;

export interface AccessRequest {
  readonly caller: Caller;
  /** `s3:GetObject`, `cwobject:ListBucketInfo`, …; compared without regard to case. */
  readonly action: string;
  readonly resource: AccessResource;
  readonly facts: ConditionFacts;
}

/** Why, in words that are safe for the caller; the deciding statement is for holders of policy rights. */
export type DecisionReason =
  | 'allowed'
  | 'no-organization-policy' // the organization has none at all
  | 'organization-policy-deny'
  | 'organization-policy-no-allow'
  | 'bucket-policy-deny'
  | 'bucket-policy-no-allow' // there is a bucket policy and it is silent
  | 'other-organization' // the bucket's owner lets nobody in from outside
  | 'anonymous';

export interface Decision {
  readonly allow: boolean;
  readonly reason: DecisionReason;
  readonly layer: 'organization' | 'bucket' | 'role' | 'none';
  /** Policy and statement that decided, when one did. */
  readonly policy?: string;
  readonly statement?: string;
}
