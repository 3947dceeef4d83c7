/**
 * The engine port: what the S3 edge needs from whatever keeps the bytes, and the conformance suite that every
 * implementation passes. Implementations (`disk/`) are imported by `server/` alone.
 */
export * from './engine.ts';
