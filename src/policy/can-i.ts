import type { Caller } from '../core/index.ts';
import { canonicalAction, isGlobalAction, isPolicyRepair, otherSpelling } from './actions.ts';
import type { CompiledOrganizationPolicies } from './compile.ts';
import { organizationPrincipals, roleGrants } from './decide.ts';
import { compileGlob, type Glob, globCovers, globsOverlap } from './glob.ts';
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
  // Compiled once: every statement is compared with them.
  const resource = isGlobalAction(action) ? undefined : compileGlob(question.resource);
  const spellings = [action, otherSpelling(action)].filter((spelling) => spelling !== undefined).map(compileGlob);
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

function covers(matcher: Matcher, asked: Glob): boolean {
  if (asked.exact) return matches(matcher, asked.source);
  return (
    matcher.any ||
    matcher.globs.some((glob) => asked.source.startsWith(glob.prefix) && globCovers(glob.source, asked.source))
  );
}

function touches(matcher: Matcher, asked: Glob): boolean {
  if (asked.exact) return matches(matcher, asked.source);
  if (matcher.any || asked.source === '*') return true;
  for (const text of matcher.exact) if (asked.test(text)) return true;
  return matcher.globs.some((glob) => mayMeet(glob.prefix, asked.prefix) && globsOverlap(glob.source, asked.source));
}

/** Texts with these beginnings can only be the same if one beginning goes on where the other ends. */
function mayMeet(one: string, other: string): boolean {
  return one.startsWith(other) || other.startsWith(one);
}
