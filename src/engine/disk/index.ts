/**
 * The disk engine: objects in one local directory, durable before they are acknowledged. Owns the log, the index and the
 * large-object files (docs/architecture/disk-engine.md); knows nothing of HTTP, S3, keys or policies.
 */
export type { DiskOptions, EngineLog } from './disk.ts';
export { type OpenDiskEngineInput, openDiskEngine } from './open.ts';
