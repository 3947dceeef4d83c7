import { type Clock, type Entropy, Failure, type Hasher } from '../core/index.ts';
import type { ControlRecords, ControlStore, OrganizationRecord, UserRole } from '../store/index.ts';
import type { Events } from '../telemetry/index.ts';
import { checkName } from './rules.ts';
import { makeToken } from './tokens.ts';
import type { NewOrganization } from './types.ts';
import { newUserRecord } from './users.ts';

export interface OrganizationsDependencies {
  readonly store: ControlStore;
  readonly hasher: Hasher;
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly events: Pick<Events, 'adminChanged'>;
}

export interface OrganizationInput {
  readonly name: string;
  readonly adminName: string;
}

/** Contract control-plane 5: the first user of a new organization administers all of it. */
export const FIRST_ADMIN_ROLES: readonly UserRole[] = ['object-storage-admin', 'access-token-admin', 'iam-admin'];

const ID_TRIES_MAX = 32;
const HEX = '0123456789abcdef';

export async function createOrganization(
  input: OrganizationInput,
  actor: string,
  deps: OrganizationsDependencies,
): Promise<NewOrganization> {
  const made = await deps.store.transact((records) => makeOrganization(records, input, FIRST_ADMIN_ROLES, deps));
  reportOrganization(deps.events, made, actor);
  return made;
}

/** Organization, first administrator and a token, inside the caller's transaction. */
export async function makeOrganization(
  records: ControlRecords,
  input: OrganizationInput,
  roles: readonly UserRole[],
  deps: Pick<OrganizationsDependencies, 'hasher' | 'clock' | 'entropy'>,
): Promise<NewOrganization> {
  const organization: OrganizationRecord = {
    id: await freeId(records, deps.entropy),
    name: checkName('name', input.name),
    createdAt: deps.clock.now(),
    settings: {},
    entitlements: {},
  };
  checkName('adminName', input.adminName);
  const admin = newUserRecord(organization.id, { name: input.adminName, displayName: '', roles, groups: [] }, deps);
  const tokenInput = { userId: admin.id, name: 'first token', note: 'made together with the organization' };
  const token = makeToken(organization.id, tokenInput, deps);
  await records.organizations.insert(organization);
  await records.users.insert(admin);
  await records.apiTokens.insert(token.record);
  return { organization, admin, token: token.record, secret: token.secret };
}

export function reportOrganization(
  events: Pick<Events, 'adminChanged'>,
  { organization, admin, token }: NewOrganization,
  actor: string,
): void {
  const orgId = organization.id;
  events.adminChanged({ orgId, actor, subject: 'organization', id: orgId, change: 'created' });
  events.adminChanged({ orgId, actor, subject: 'user', id: admin.id, change: 'created' });
  events.adminChanged({ orgId, actor, subject: 'api-token', id: token.id, change: 'created' });
}

/** Six hexadecimal digits like the ids of the contract (section 5); looked up first, because so few can be drawn twice. */
async function freeId(records: ControlRecords, entropy: Entropy): Promise<string> {
  for (let attempt = 0; attempt < ID_TRIES_MAX; attempt += 1) {
    const id = Array.from(entropy.bytes(6), (byte) => HEX.charAt(byte & 15)).join('');
    if ((await records.organizations.find(id)) === undefined) return id;
  }
  throw new Failure('exhausted', 'no free organization id was found: too many organizations');
}
