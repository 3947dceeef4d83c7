import type { Clock, Entropy, Hasher } from '../core/index.ts';
import type { ControlStore } from '../store/index.ts';
import type { Events } from '../telemetry/index.ts';
import { Authenticator } from './api-token/authenticator.ts';
import { createOrganization } from './organizations.ts';
import { createApiToken, deleteApiToken } from './tokens.ts';
import type { Identity } from './types.ts';
import { createUser, deleteUser, updateUser } from './users.ts';

export interface IdentityDependencies {
  readonly store: ControlStore;
  readonly hasher: Hasher;
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly events: Pick<Events, 'adminChanged' | 'keysRevoked' | 'unexpected'>;
}

/** Identity over a store. Listens to the store's changes until the store is closed. */
export function createIdentity(deps: IdentityDependencies): Identity {
  const authenticator = new Authenticator(deps);
  deps.store.subscribe((change) => authenticator.apply(change));
  return {
    authenticate: (token) => authenticator.authenticate(token),
    apply: (change) => authenticator.apply(change),
    flush: () => authenticator.flush(),
    createOrganization: (input, actor) => createOrganization(input, actor, deps),
    createUser: (orgId, input, actor) => createUser(orgId, input, actor, deps),
    updateUser: (orgId, id, change, actor) => updateUser(orgId, id, change, actor, deps),
    deleteUser: (orgId, id, actor) => deleteUser(orgId, id, actor, deps),
    createApiToken: (orgId, input, actor) => createApiToken(orgId, input, actor, deps),
    deleteApiToken: (orgId, id, actor) => deleteApiToken(orgId, id, actor, deps),
  };
}
