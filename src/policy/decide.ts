import { type Caller, principalArn } from '../core/index.ts';
import {
  CREATE_BUCKET,
  canonicalAction,
  DELETE_BUCKET_POLICY,
  isGlobalAction,
  isPolicyRepair,
  otherSpelling,
  PUT_BUCKET_POLICY,
} from './actions.ts';
import type { CompiledBucketPolicy, CompiledOrganizationPolicies } from './compile.ts';
import { evaluateConditions } from './condition.ts';
import { type CompiledStatement, candidates, concerns, type StatementIndex } from './statement-index.ts';
import type { AccessRequest, AccessResource, Decision, DecisionReason } from './types.ts';

/** What a decision is made from. Nothing here is parsed or fetched during it. */
export interface PolicySet {
  /** Policies of the caller's own organization; absent for anonymous callers, or when there are none. */
  readonly caller: CompiledOrganizationPolicies | undefined;
  /** Policies of the organization that owns the bucket; the same object when it is the caller's own. */
  readonly owner: CompiledOrganizationPolicies | undefined;
  readonly bucket: CompiledBucketPolicy | undefined;
  /** IAM roles of the caller; they count for platform users only (contract control-plane 7.4). */
  readonly roles?: readonly string[];
}

type PrincipalCaller = Caller & { readonly kind: 'principal' };

/** A request in the form in which statements are compared with it. */
interface Question {
  readonly request: AccessRequest;
  readonly action: string;
  readonly actionOtherwise: string | undefined;
  /** `bucket` or `bucket/key`; undefined for global actions. */
  readonly resource: string | undefined;
}

/**
 * May this caller do this? Pure. Order of contract control-plane 7.3 with the exceptions of 7.4; callers from outside
 * the owner's organization as in s3-data-plane 8. Unknown means no.
 */
export function decide(request: AccessRequest, policies: PolicySet): Decision {
  const action = canonicalAction(request.action);
  const { caller, resource } = request;
  const global = isGlobalAction(action);
  // Only global actions are done to nothing in particular.
  if (resource.kind === 'global' && !global) return refuse('organization-policy-no-allow', 'none');
  const question: Question = {
    request,
    action,
    actionOtherwise: otherSpelling(action),
    resource: global ? undefined : resourceText(resource),
  };
  const owner = global || resource.kind === 'global' ? undefined : resource.orgId;
  if (caller.kind === 'anonymous') return decideAnonymous(question, policies, owner);
  const own = decideByOwnOrganization(question, caller, policies);
  if (!own.allow || owner === undefined || action === CREATE_BUCKET) return own;
  const foreign = caller.orgId !== owner;
  if (action === PUT_BUCKET_POLICY || (foreign && action === DELETE_BUCKET_POLICY)) {
    return foreign ? refuse('other-organization', 'none') : own;
  }
  if (!foreign && policies.bucket === undefined) return own;
  return decideByBucketPolicy(question, caller, policies, foreign ? 'other-organization' : undefined);
}

function resourceText(resource: AccessResource): string | undefined {
  if (resource.kind === 'global') return undefined;
  return resource.kind === 'bucket' ? resource.bucket : `${resource.bucket}/${resource.key}`;
}

function decideByOwnOrganization(question: Question, caller: PrincipalCaller, policies: PolicySet): Decision {
  const byRole = roleGrants(caller, question.action, policies.roles);
  if (byRole && isPolicyRepair(question.action)) return ALLOWED_BY_ROLE;
  const found = ask(policies.caller?.index, question, organizationPrincipals(caller));
  if (found.deny !== undefined) return decided('organization-policy-deny', 'organization', found.deny);
  if (found.allow !== undefined) return decided('allowed', 'organization', found.allow);
  if (byRole) return ALLOWED_BY_ROLE;
  const none = policies.caller === undefined || policies.caller.policyCount === 0;
  return refuse(none ? 'no-organization-policy' : 'organization-policy-no-allow', 'organization');
}

const ALLOWED_BY_ROLE: Decision = { allow: true, reason: 'allowed', layer: 'role' };

/**
 * Object Storage Admin has every `cwobject:` action and no S3 action. An explicit Deny is stronger, except over what
 * repairs policies.
 */
export function roleGrants(caller: Caller, action: string, roles: readonly string[] | undefined): boolean {
  return (
    caller.kind === 'principal' &&
    caller.principal.kind === 'user' &&
    action.startsWith('cwobject:') &&
    roles?.includes('object-storage-admin') === true
  );
}

function decideAnonymous(question: Question, policies: PolicySet, owner: string | undefined): Decision {
  const { action } = question;
  if (owner === undefined || action === CREATE_BUCKET) return refuse('anonymous', 'none');
  if (action === PUT_BUCKET_POLICY || action === DELETE_BUCKET_POLICY) return refuse('anonymous', 'none');
  return decideByBucketPolicy(question, undefined, policies, 'anonymous');
}

/**
 * The bucket policy's word. `outside` is set when the caller does not belong to the owner's organization: its policies
 * cannot name him, but what they refuse to everybody is refused to him too, and without a bucket policy he stays out.
 */
function decideByBucketPolicy(
  question: Question,
  caller: PrincipalCaller | undefined,
  policies: PolicySet,
  outside: 'other-organization' | 'anonymous' | undefined,
): Decision {
  if (outside !== undefined) {
    const { deny } = ask(policies.owner?.index, question, NOBODY_BY_NAME);
    if (deny !== undefined) return decided('organization-policy-deny', 'organization', deny);
    if (policies.bucket === undefined) return refuse(outside, 'none');
  }
  const found = ask(policies.bucket?.index, question, caller === undefined ? NOBODY_BY_NAME : bucketPrincipals(caller));
  if (found.deny !== undefined) return decided('bucket-policy-deny', 'bucket', found.deny);
  if (found.allow !== undefined) return decided('allowed', 'bucket', found.allow);
  return refuse('bucket-policy-no-allow', 'bucket');
}

const NOBODY_BY_NAME: readonly [undefined] = [undefined];

/**
 * A SAML role that is written like an OIDC principal (`https://issuer:subject`) is met by statements for everybody only:
 * in text it could not be told from the workload of that name (threat J-10).
 */
function looksFederated(caller: PrincipalCaller): boolean {
  return caller.principal.kind === 'saml' && caller.principal.role.includes('://');
}

export function organizationPrincipals(caller: PrincipalCaller): readonly (string | undefined)[] {
  return looksFederated(caller) ? NOBODY_BY_NAME : [caller.name];
}

function bucketPrincipals(caller: PrincipalCaller): readonly (string | undefined)[] {
  const { principal, orgId } = caller;
  if (principal.kind !== 'saml') return [principalArn(orgId, principal)];
  const saml = `arn:aws:iam::${orgId}:saml/${principal.role}`;
  return looksFederated(caller) ? [saml] : [saml, principalArn(orgId, principal)];
}

/**
 * The first matching Deny, else the first matching Allow, of the statements under any of the caller's names. A Deny
 * whose conditions cannot be told counts as matching, such an Allow does not (threat A-04).
 */
function ask(
  index: StatementIndex | undefined,
  question: Question,
  principals: readonly (string | undefined)[],
): { readonly deny?: CompiledStatement; readonly allow?: CompiledStatement } {
  if (index === undefined) return NOTHING;
  let allow: CompiledStatement | undefined;
  for (const principal of principals) {
    const leaves = candidates(index, principal, question.resource, question.action);
    for (const { deny } of leaves) {
      const found = deny.find((statement) => holds(statement, question, principal) !== false);
      if (found !== undefined) return { deny: found };
    }
    for (const leaf of leaves) {
      allow ??= leaf.allow.find((statement) => holds(statement, question, principal) === true);
    }
  }
  return allow === undefined ? NOTHING : { allow };
}

const NOTHING = {};

function holds(statement: CompiledStatement, question: Question, principal: string | undefined): boolean | undefined {
  const { resource, action, actionOtherwise, request } = question;
  if (!concerns(statement, principal, resource, action, actionOtherwise)) return false;
  return statement.conditions.length === 0 || evaluateConditions(statement.conditions, request);
}

function decided(reason: DecisionReason, layer: Decision['layer'], by: CompiledStatement): Decision {
  return {
    allow: reason === 'allowed',
    reason,
    layer,
    ...(by.policy === undefined ? {} : { policy: by.policy }),
    ...(by.name === undefined ? {} : { statement: by.name }),
  };
}

function refuse(reason: DecisionReason, layer: Decision['layer']): Decision {
  return { allow: false, reason, layer };
}
