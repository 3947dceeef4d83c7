/**
 * The life of an access key: how it is made, found, suspended, revoked and forgotten, and how its secret is sealed. Owns
 * the form of key ids and secrets and the caches in front of the store. Does not judge who may ask for a key (that is the
 * caller's access check) and does not verify signatures (that is `s3/`).
 */
export { isAccessKeyId } from './key-id.ts';
export { createKeys, type KeysDependencies, type KeysOptions } from './keys.ts';
export { verifyMasterKey } from './master-key.ts';
export * from './types.ts';
