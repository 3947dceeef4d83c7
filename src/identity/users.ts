import { type Clock, type Entropy, Failure, LETTERS_AND_DIGITS, randomText } from '../core/index.ts';
import type { ControlRecords, ControlStore, UserRecord, UserRole } from '../store/index.ts';
import type { Events } from '../telemetry/index.ts';
import { checkDisplayName, checkGroups, checkName, checkRoles, KEPT_ROLES, noSuch, worksAs } from './rules.ts';
import type { NewUser, UserChange } from './types.ts';

export interface UsersDependencies {
  readonly store: ControlStore;
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly events: Pick<Events, 'adminChanged' | 'keysRevoked'>;
}

const PAGE = 500;
const PAGES_MAX = 2_000;

/** The record of a new user, checked. UIDs are ours, never reused: a name made again is somebody else (threat I-03). */
export function newUserRecord(
  orgId: string,
  input: NewUser,
  { clock, entropy }: Pick<UsersDependencies, 'clock' | 'entropy'>,
): UserRecord {
  return {
    id: `u${randomText(entropy, LETTERS_AND_DIGITS, 19)}`,
    orgId,
    name: checkName('name', input.name),
    displayName: checkDisplayName(input.displayName),
    active: true,
    roles: checkRoles(input.roles),
    groups: checkGroups(input.groups),
    createdAt: clock.now(),
  };
}

export async function createUser(
  orgId: string,
  input: NewUser,
  actor: string,
  deps: UsersDependencies,
): Promise<UserRecord> {
  const user = newUserRecord(orgId, input, deps);
  await deps.store.users.insert(user);
  deps.events.adminChanged({ orgId, actor, subject: 'user', id: user.id, change: 'created' });
  return user;
}

export async function updateUser(
  orgId: string,
  id: string,
  change: UserChange,
  actor: string,
  deps: UsersDependencies,
): Promise<UserRecord> {
  const checked = checkChange(change);
  const { user, revoked } = await deps.store.transact(async (records) => {
    const before = await records.users.find(orgId, id);
    if (before === undefined) throw noSuch('user', id);
    const after: UserRecord = { ...before, ...checked };
    await guardLastAdmins(records, before, after);
    await records.users.replace(after);
    const stops = before.active && !after.active;
    return { user: after, revoked: stops ? await revokeKeys(records, after, deps.clock.now()) : [] };
  });
  deps.events.adminChanged({ orgId, actor, subject: 'user', id, change: 'updated' });
  reportRevoked(deps, user, revoked, actor);
  return user;
}

export async function deleteUser(orgId: string, id: string, actor: string, deps: UsersDependencies): Promise<void> {
  const { user, revoked } = await deps.store.transact(async (records) => {
    const before = await records.users.find(orgId, id);
    if (before === undefined) throw noSuch('user', id);
    await guardLastAdmins(records, before, undefined);
    await records.apiTokens.removeByUser(orgId, id);
    const ids = await revokeKeys(records, before, deps.clock.now());
    await records.users.remove(orgId, id);
    return { user: before, revoked: ids };
  });
  deps.events.adminChanged({ orgId, actor, subject: 'user', id, change: 'deleted' });
  reportRevoked(deps, user, revoked, actor);
}

function checkChange(change: UserChange): UserChange {
  return {
    ...(change.displayName === undefined ? {} : { displayName: checkDisplayName(change.displayName) }),
    ...(change.active === undefined ? {} : { active: change.active }),
    ...(change.roles === undefined ? {} : { roles: checkRoles(change.roles) }),
    ...(change.groups === undefined ? {} : { groups: checkGroups(change.groups) }),
  };
}

/**
 * An organization without a working iam-admin could never be managed again. Platform admins are all in one organization,
 * because only they give the role, and only to users of their own.
 */
async function guardLastAdmins(
  records: ControlRecords,
  before: UserRecord,
  after: UserRecord | undefined,
): Promise<void> {
  for (const role of KEPT_ROLES) {
    if (worksAs(role, before) && !worksAs(role, after)) await guardLastOf(role, records, before);
  }
}

async function guardLastOf(role: UserRole, records: ControlRecords, leaving: UserRecord): Promise<void> {
  for (let page = 0; page < PAGES_MAX; page += 1) {
    const users = await records.users.list(leaving.orgId, { offset: page * PAGE, limit: PAGE });
    if (users.some((user) => user.id !== leaving.id && worksAs(role, user))) return;
    if (users.length < PAGE) break;
  }
  const message = `this is the last active user with the role ${role}: give the role to another user first`;
  throw new Failure('failed-precondition', message, { resource: { type: 'user', name: leaving.id } });
}

/** Revoked for good: a user who is activated again makes new keys (threat K-02). */
function revokeKeys(records: ControlRecords, user: UserRecord, now: number): Promise<readonly string[]> {
  return records.accessKeys.revokeByPrincipal(user.orgId, `coreweave/${user.id}`, now);
}

function reportRevoked(
  deps: UsersDependencies,
  user: UserRecord,
  accessKeyIds: readonly string[],
  actor: string,
): void {
  if (accessKeyIds.length === 0) return;
  const principalName = `coreweave/${user.id}`;
  deps.events.keysRevoked({ orgId: user.orgId, actor, principalName, accessKeyIds });
}
