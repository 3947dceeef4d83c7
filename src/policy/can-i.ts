import type { Caller } from '../core/index.ts';
import { canonicalAction, isGlobalAction, isPolicyRepair, otherSpelling } from './actions.ts';
import type { CompiledOrganizationPolicies } from './compile.ts';
import { organizationPrincipals, roleGrants } from './decide.ts';
import { compileGlob, globCovers, globsOverlap } from './glob.ts';
import { type Matcher, matches } from './matcher.ts';

export interface CanIQuestion {
  readonly caller: Caller;
  /** `s3:GetObject`, or a pattern: then every action that it stands for is meant. */
  readonly action: string;
  /** `bucket`, `bucket/key`, or a pattern: then every resource that it stands for is meant; `*` = every one. */
  readonly resource: string;
}

/**
 * Contract control-plane 3.1: what the caller's organization policies say, bucket policies left out. For a single
 * action on a single resource the same verdict as `decide` reaches from organization policies (threat A-14). For
 * patterns yes means: one Allow covers all of it and no Deny touches any of it. Global actions have no resource, so
 * the resource asked for makes no difference to them.
 */
export function decideCanI(
  question: CanIQuestion,
  policies: { readonly caller: CompiledOrganizationPolicies | undefined; readonly roles?: readonly string[] },
): boolean {
  const { caller } = question;
  if (caller.kind === 'anonymous') return false;
  const action = canonicalAction(question.action);
  const resource = isGlobalAction(action) ? undefined : question.resource;
  const spellings = [action, otherSpelling(action)].filter((spelling) => spelling !== undefined);
  const [principal] = organizationPrincipals(caller);
  let allowed = roleGrants(caller, action, policies.roles);
  if (allowed && isPolicyRepair(action)) return true;
  for (const statement of policies.caller?.index.statements ?? []) {
    if (!(principal === undefined ? statement.principals.any : matches(statement.principals, principal))) continue;
    const deny = statement.effect === 'Deny';
    if (!deny && allowed) continue;
    const compare = deny ? touches : covers;
    const onAction = spellings.some((spelling) => compare(statement.actions, spelling));
    if (!onAction || !(resource === undefined ? statement.resources.any : compare(statement.resources, resource)))
      continue;
    if (deny) return false;
    allowed = true;
  }
  return allowed;
}

function covers(matcher: Matcher, pattern: string): boolean {
  if (compileGlob(pattern).exact) return matches(matcher, pattern);
  return matcher.any || matcher.globs.some((glob) => globCovers(glob.source, pattern));
}

function touches(matcher: Matcher, pattern: string): boolean {
  const asked = compileGlob(pattern);
  if (asked.exact) return matches(matcher, pattern);
  if (matcher.any || asked.source === '*') return true;
  for (const text of matcher.exact) if (asked.test(text)) return true;
  return matcher.globs.some((glob) => globsOverlap(glob.source, pattern));
}
