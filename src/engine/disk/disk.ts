import type { Clock, Entropy } from '../../core/index.ts';
import type { BufferPool } from './buffer-pool.ts';
import type { Checkpointer } from './checkpoint.ts';
import type { FileStore } from './file-store.ts';
import type { DiskFs } from './fs.ts';
import type { HashPool } from './hash-pool.ts';
import type { IndexStore } from './index-store.ts';
import type { Draft, Log } from './log.ts';
import { HEADER_BYTES } from './record.ts';
import type { SegmentFiles } from './segment.ts';
import type { State } from './state.ts';

export interface DiskOptions {
  /** Objects and parts up to this many bytes go into the log. */
  readonly inlineBytesMax: number;
  readonly segmentBytes: number;
  /** The first segment after a start is small, so that the start is quick. */
  readonly firstSegmentBytes: number;
  /** The index is brought up to date after this many milliseconds, or sooner when much has changed. */
  readonly checkpointMs: number;
  /** Threads for MD5 of large bodies. */
  readonly hashThreads: number;
  readonly openFilesMax: number;
  /** How long the answer of a completed upload is remembered. */
  readonly doneMs: number;
}

export interface EngineLog {
  warn(message: string, fields: Readonly<Record<string, unknown>>): void;
}

/** Everything that the operations of one open engine share. */
export interface Disk {
  readonly fs: DiskFs;
  readonly options: DiskOptions;
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly index: IndexStore;
  readonly state: State;
  readonly log: Log;
  readonly segments: SegmentFiles;
  readonly files: FileStore;
  readonly hashes: HashPool;
  readonly readBuffers: BufferPool<ArrayBuffer>;
  readonly writeBuffers: BufferPool<SharedArrayBuffer>;
  readonly checkpointer: Checkpointer;
  onDamage(what: string): void;
}

/** What a write has decided on: row changes and the small data that goes with them. */
export interface Plan<Result> {
  readonly drafts: readonly Draft[];
  readonly data?: Uint8Array;
  readonly result: Result;
}

export interface CommitSize {
  /** Upper bound of the record, in bytes. */
  readonly bytes: number;
  /** Deletions may use the last of the space. */
  readonly deletion: boolean;
}

/**
 * Makes a write durable. `decide` runs when there is room in the log, in the same turn as the record is queued: what it
 * sees of the projected state is final, so exactly one of several conditional writers wins. It may throw a refusal.
 */
export async function commit<Result>(disk: Disk, size: CommitSize, decide: () => Plan<Result>): Promise<Result> {
  disk.checkpointer.requireMemory();
  while (!disk.log.hasRoom(size.bytes, size.deletion) || disk.checkpointer.isBehind) {
    await disk.checkpointer.catchUp();
    await disk.log.waitForRoom(size.bytes, size.deletion);
  }
  const plan = decide();
  if (plan.drafts.length > 0) await disk.log.append(plan.drafts, plan.data);
  return plan.result;
}

/** Upper bound of a record with one object row: fixed fields, key twice, attributes. */
export function rowBytesBound(keyAndAttributes: number, data: number): number {
  return HEADER_BYTES + 2048 + keyAndAttributes + data;
}
