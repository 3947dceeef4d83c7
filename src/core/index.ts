/**
 * The vocabulary of the whole server: ids, time, identity, failures, limits, sealing, bounded caches. Imports no other
 * folder, knows no protocol and no storage; clock and entropy are passed in.
 */
export * from './awaitable.ts';
export * from './checksum.ts';
export * from './client-address.ts';
export * from './coalesced-loads.ts';
export * from './failure.ts';
export * from './instant.ts';
export * from './limits.ts';
export * from './principal.ts';
export * from './sealing.ts';
export * from './self-checking.ts';
export * from './tagged-cache.ts';
