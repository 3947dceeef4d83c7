/**
 * Who signed this request? Reads the claim of a request (header or query form of AWS Signature Version 4), proves it
 * against a secret, and checks the signatures of chunks that follow. Pure: no key store, no clock, no body. It does not
 * decide what the caller may do, and does not hash bodies (`payload/`).
 */
export { ChunkChain } from './chunk-chain.ts';
export * from './claim.ts';
export type { Dialect } from './dialect.ts';
export { parseClaim } from './parse.ts';
export { checkPayloadHash } from './payload-hash.ts';
export { verifyClaim } from './verify.ts';
