/**
 * Proving who is asking with an API access token, and the organizations, users, roles and tokens behind it. Owns the
 * form of tokens, the cache in front of them, and the first run's organization. Does not judge what a proved caller may
 * do, and knows no access keys beyond revoking those of a user who is gone.
 */
export { type BootstrapOptions, type Bootstrapped, bootstrap } from './bootstrap.ts';
export { createIdentity, type IdentityDependencies } from './identity.ts';
export * from './types.ts';
