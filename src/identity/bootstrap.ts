import { principalName } from '../core/index.ts';
import type { ControlStore } from '../store/index.ts';
import type { Events } from '../telemetry/index.ts';
import {
  FIRST_ADMIN_ROLES,
  makeOrganization,
  type OrganizationsDependencies,
  reportOrganization,
} from './organizations.ts';
import type { NewOrganization } from './types.ts';

export interface BootstrapOptions extends Omit<OrganizationsDependencies, 'store' | 'events'> {
  readonly events: Pick<Events, 'adminChanged' | 'policyChanged'>;
  readonly organizationName?: string;
  readonly adminName?: string;
  /**
   * Called before the transaction commits, with what is about to exist: the place to put the token where a crash cannot
   * lose it. May be called again for another attempt, which replaces the one before; when it throws, nothing was made.
   */
  readonly beforeCommit?: (made: Bootstrapped) => void | Promise<void>;
}

export interface Bootstrapped extends NewOrganization {
  /** `coreweave/<uid>` of the administrator. */
  readonly principalName: string;
}

const POLICY_NAME = 'bootstrap';
const ACTOR = 'bootstrap';

/**
 * First run (product 2): organization, administrator (who may manage organizations too), token, and an organization
 * policy that gives the administrator everything; all of it or nothing. Answers undefined, and changes nothing, when
 * there is an organization already.
 */
export async function bootstrap(store: ControlStore, options: BootstrapOptions): Promise<Bootstrapped | undefined> {
  const made = await store.transact(async (records) => {
    if ((await records.organizations.list({ offset: 0, limit: 1 })).length > 0) return undefined;
    const input = { name: options.organizationName ?? 'default', adminName: options.adminName ?? 'admin' };
    const first = await makeOrganization(records, input, [...FIRST_ADMIN_ROLES, 'platform-admin'], options);
    const principal = principalName({ kind: 'user', uid: first.admin.id });
    const now = first.organization.createdAt;
    const document = policyDocument(principal);
    const orgId = first.organization.id;
    await records.policies.ensure({ orgId, name: POLICY_NAME, document, createdAt: now, updatedAt: now });
    const result: Bootstrapped = { ...first, principalName: principal };
    await options.beforeCommit?.(result);
    return result;
  });
  if (made === undefined) return undefined;
  reportOrganization(options.events, made, ACTOR);
  const orgId = made.organization.id;
  options.events.policyChanged({ orgId, actor: ACTOR, scope: 'organization', name: POLICY_NAME, change: 'ensured' });
  return made;
}

/** Contract control-plane 7.1. */
function policyDocument(principal: string): string {
  const statement = {
    name: 'administrator',
    effect: 'Allow',
    actions: ['s3:*', 'cwobject:*'],
    resources: ['*'],
    principals: [principal],
  };
  return JSON.stringify({ version: 'v1alpha1', name: POLICY_NAME, statements: [statement] });
}
