/**
 * Bodies on their way in: every payload form of S3 clients is undone and verified here (hash, chunk signatures, lengths,
 * checksums, trailers), so that nothing unverified is handed on as whole. It does not store anything and does not decide
 * whether the request itself was signed by the right key (`sigv4/`).
 */
export { type DocumentOptions, readDocument } from './document.ts';
export { storedContentEncoding } from './encoding.ts';
export { openBody } from './open-body.ts';
export type { BodyRules, OpenedBody } from './rules.ts';
