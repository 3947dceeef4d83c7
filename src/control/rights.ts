import type { Authenticated } from '../identity/index.ts';
import { type CompiledOrganizationPolicies, decide } from '../policy/index.ts';

const NO_FACTS = () => undefined;

/** Whether the caller may do a `cwobject:` action: organization policies and the role Object Storage Admin. */
export function mayGlobally(
  policies: CompiledOrganizationPolicies,
  authenticated: Authenticated,
  action: string,
): boolean {
  const { caller, user } = authenticated;
  const request = { caller, action, resource: { kind: 'global' }, facts: NO_FACTS } as const;
  return decide(request, { caller: policies, owner: undefined, bucket: undefined, roles: user.roles }).allow;
}
