import type { Admin } from '../../proto/gen/sallyport/admin/v1/admin_pb.js';
import { Failure, invalidField } from '../core/index.ts';
import type { Authenticated } from '../identity/index.ts';
import type { ControlRecords, OrganizationRecord, UserRecord, UserRole } from '../store/index.ts';
import {
  apiTokenMessage,
  organizationMessage,
  readEntitlements,
  readInstant,
  readRoles,
  userMessage,
} from './admin-messages.ts';
import type { Handlers } from './call.ts';
import { readPage } from './paging.ts';
import type { ControlPorts } from './ports.ts';

type Ports = Pick<ControlPorts, 'identity' | 'store' | 'events'>;
type OrganizationMethods =
  | 'whoAmI'
  | 'createOrganization'
  | 'getOrganization'
  | 'listOrganizations'
  | 'setOrganizationEntitlements';
type UserMethods = 'createUser' | 'getUser' | 'listUsers' | 'updateUser' | 'deleteUser';
type TokenMethods = 'createApiToken' | 'listApiTokens' | 'deleteApiToken';

/** `sallyport.admin.v1.Admin`. Things of other organizations are not found (threat K-04). */
export function adminService(ports: Ports): Handlers<typeof Admin> {
  return { ...organizationMethods(ports), ...userMethods(ports), ...tokenMethods(ports) };
}

function organizationMethods({ identity, store, events }: Ports): Pick<Handlers<typeof Admin>, OrganizationMethods> {
  return {
    async whoAmI(_request, { authenticated }) {
      const record = await findOrganization(store, authenticated.caller.orgId);
      return { user: userMessage(authenticated.user), organization: organizationMessage(record) };
    },
    async createOrganization(request, { authenticated }) {
      const { name, adminName } = request;
      const made = await identity.createOrganization({ name, adminName }, authenticated.caller.name);
      return {
        organization: organizationMessage(made.organization),
        admin: userMessage(made.admin),
        token: apiTokenMessage(made.token),
        tokenSecret: made.secret,
      };
    },
    async getOrganization(request, { authenticated }) {
      const own = authenticated.caller.orgId;
      const id = request.id === '' ? own : request.id;
      if (id !== own && !hasRole(authenticated, 'platform-admin')) throw noSuch('organization', id);
      return { organization: organizationMessage(await findOrganization(store, id)) };
    },
    async listOrganizations(request) {
      const records = await store.organizations.list(readPage(request));
      return { organizations: records.map(organizationMessage) };
    },
    async setOrganizationEntitlements(request, { authenticated }) {
      const { id } = request;
      if (request.entitlements === undefined) throw invalidField('entitlements', 'is required');
      const entitlements = readEntitlements(request.entitlements);
      const changed = await store.transact(async (records) => {
        const record = { ...(await findOrganization(records, id)), entitlements };
        await records.organizations.replace(record);
        return record;
      });
      const { name: actor } = authenticated.caller;
      events.adminChanged({ orgId: id, actor, subject: 'organization', id, change: 'updated' });
      return { organization: organizationMessage(changed) };
    },
  };
}

function userMethods({ identity, store }: Ports): Pick<Handlers<typeof Admin>, UserMethods> {
  return {
    async createUser(request, { authenticated }) {
      const { name, displayName, groups } = request;
      const roles = readRoles(request.roles);
      refuseRaisingRoles(authenticated, roles);
      const { orgId, name: actor } = authenticated.caller;
      return { user: userMessage(await identity.createUser(orgId, { name, displayName, roles, groups }, actor)) };
    },
    async getUser(request, { authenticated }) {
      return { user: userMessage(await findUser(store, authenticated.caller.orgId, request.id)) };
    },
    async listUsers(request, { authenticated }) {
      const records = await store.users.list(authenticated.caller.orgId, readPage(request));
      return { users: records.map(userMessage) };
    },
    async updateUser(request, { authenticated }) {
      const { orgId, name: actor } = authenticated.caller;
      const roles = request.roles === undefined ? undefined : readRoles(request.roles.values);
      if (roles !== undefined) refuseRaisingRoles(authenticated, roles);
      const change = {
        ...(request.displayName === undefined ? {} : { displayName: request.displayName }),
        ...(request.active === undefined ? {} : { active: request.active }),
        ...(roles === undefined ? {} : { roles }),
        ...(request.groups === undefined ? {} : { groups: request.groups.values }),
      };
      return { user: userMessage(await identity.updateUser(orgId, request.id, change, actor)) };
    },
    async deleteUser(request, { authenticated }) {
      const { orgId, name: actor } = authenticated.caller;
      await identity.deleteUser(orgId, request.id, actor);
      return {};
    },
  };
}

function tokenMethods({ identity, store }: Ports): Pick<Handlers<typeof Admin>, TokenMethods> {
  return {
    async createApiToken(request, { authenticated }) {
      const { orgId, name: actor } = authenticated.caller;
      const userId = request.userId === '' ? authenticated.user.id : request.userId;
      if (userId !== authenticated.user.id)
        refuseRaisingRoles(authenticated, (await findUser(store, orgId, userId)).roles);
      const expiry =
        request.expireTime === undefined ? {} : { expiresAt: readInstant('expireTime', request.expireTime) };
      const input = { userId, name: request.name, note: request.note, ...expiry };
      const { record, secret } = await identity.createApiToken(orgId, input, actor);
      return { token: apiTokenMessage(record), secret };
    },
    async listApiTokens(request, { authenticated }) {
      const userId = request.userId === '' ? authenticated.user.id : request.userId;
      const filter = request.allUsers ? {} : { userId };
      const records = await store.apiTokens.list(authenticated.caller.orgId, filter, readPage(request));
      return { tokens: records.map(apiTokenMessage) };
    },
    async deleteApiToken(request, { authenticated }) {
      const { orgId, name: actor } = authenticated.caller;
      const record = await store.apiTokens.find(orgId, request.id);
      const reachable = record?.userId === authenticated.user.id || hasRole(authenticated, 'iam-admin');
      if (record === undefined || !reachable) throw noSuch('API token', request.id);
      await identity.deleteApiToken(orgId, request.id, actor);
      return {};
    },
  };
}

/**
 * Platform administration reaches across organizations, so administrators of one organization can neither give that role
 * nor make themselves a token of somebody who has it (threat K-05). Their own roles they give freely: that is what
 * managing users is.
 */
function refuseRaisingRoles(authenticated: Authenticated, roles: readonly UserRole[]): void {
  if (roles.includes('platform-admin') && !hasRole(authenticated, 'platform-admin'))
    throw new Failure('denied', 'permission denied: only a platform-admin can act for or make another one');
}

function hasRole(authenticated: Authenticated, role: UserRole): boolean {
  return authenticated.user.roles.includes(role);
}

async function findOrganization(store: Pick<ControlRecords, 'organizations'>, id: string): Promise<OrganizationRecord> {
  const record = id === '' ? undefined : await store.organizations.find(id);
  if (record === undefined) throw noSuch('organization', id);
  return record;
}

async function findUser(store: Pick<ControlRecords, 'users'>, orgId: string, id: string): Promise<UserRecord> {
  const record = id === '' ? undefined : await store.users.find(orgId, id);
  if (record === undefined) throw noSuch('user', id);
  return record;
}

function noSuch(type: string, name: string): Failure {
  return new Failure('not-found', `no such ${type} in this organization`, { resource: { type, name } });
}
