import type { Caller } from '../core/index.ts';

/** An organization policy as data: contract control-plane 7.1. */
export interface OrganizationPolicy {
  readonly version: 'v1alpha1';
  readonly name: string;
  readonly statements: readonly OrganizationStatement[];
}

export interface OrganizationStatement {
  readonly name: string;
  readonly effect: 'Allow' | 'Deny';
  readonly actions: readonly string[];
  readonly resources: readonly string[];
  readonly principals: readonly string[];
}

/** What an action is done to. `orgId` is the organization that owns the bucket. */
export type AccessResource =
  | { readonly kind: 'global' }
  | { readonly kind: 'bucket'; readonly orgId: string; readonly bucket: string }
  | { readonly kind: 'object'; readonly orgId: string; readonly bucket: string; readonly key: string };

/**
 * Facts for policy conditions, made by the server only (threat A-06): asked for by lower-case key name when a statement
 * needs them, so that a request whose policies have no conditions pays nothing. Undefined = the key is absent.
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
