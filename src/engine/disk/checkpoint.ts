import { Failure } from '../../core/index.ts';
import { storageFailure } from './failures.ts';
import type { FileStore } from './file-store.ts';
import type { IndexStore, IndexWrite } from './index-store.ts';
import { fileKey, META_KEY, TABLE } from './keys.ts';
import type { Log } from './log.ts';
import type { LogPlace } from './record.ts';
import type { State } from './state.ts';

/** Rows waiting for the index at which it is written at once, and at which writers wait for it. */
const HURRY_ROWS = 4096;
const BEHIND_ROWS = 65_536;
/** Rows kept in memory while the index cannot be written, above which writes are refused. */
const KEPT_ROWS_MAX = 262_144;
/** After a failure, e.g. of a full disk. The log keeps everything meanwhile. */
const RETRY_MS = 3000;
const META_BYTES = 26;
const USED = Buffer.of(1);

export interface Checkpoint {
  /** The index holds everything before this place of the log. */
  readonly place: LogPlace;
  readonly sequence: number;
  /** Large files from this number on may lack a row. */
  readonly lowestFile: number;
  readonly nextFile: number;
}

function encodeCheckpoint(checkpoint: Checkpoint): Buffer {
  const value = Buffer.allocUnsafe(META_BYTES);
  value.writeUInt32BE(checkpoint.place.segment, 0);
  value.writeUInt32BE(checkpoint.place.offset, 4);
  value.writeUIntBE(checkpoint.sequence, 8, 6);
  value.writeUIntBE(checkpoint.lowestFile, 14, 6);
  value.writeUIntBE(checkpoint.nextFile, 20, 6);
  return value;
}

export function decodeCheckpoint(value: Buffer): Checkpoint {
  return {
    place: { segment: value.readUInt32BE(0), offset: value.readUInt32BE(4) },
    sequence: value.readUIntBE(8, 6),
    lowestFile: value.readUIntBE(14, 6),
    nextFile: value.readUIntBE(20, 6),
  };
}

export interface CheckpointParts {
  readonly index: IndexStore;
  readonly state: State;
  readonly log: Log;
  readonly files: FileStore;
  readonly intervalMs: number;
  /** Called after each index transaction with the place of the log that no start will read before. */
  onWritten(place: LogPlace): void;
  onFailed(error: unknown): void;
}

/**
 * Brings the index up to the log, one transaction at a time. Every transaction carries the place of the log that it
 * includes; it is flushed whole or rolls back whole, and the start replays the log from there.
 */
export class Checkpointer {
  readonly #parts: CheckpointParts;
  /** Trash as the index has it. */
  #knownTrash: ReadonlySet<number>;
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> | undefined;
  #failure: Failure | undefined;
  #closed = false;

  constructor(parts: CheckpointParts, knownTrash: ReadonlySet<number>) {
    this.#parts = parts;
    this.#knownTrash = knownTrash;
  }

  /** Whether writers should wait for the index. */
  get isBehind(): boolean {
    return !this.#failure && this.#parts.state.dirtyCount >= BEHIND_ROWS;
  }

  /** Fails `storage-full`, `storage-failed`: the index cannot be written, and memory for what it lacks has an end. */
  requireMemory(): void {
    if (this.#failure && this.#parts.state.dirtyCount >= KEPT_ROWS_MAX) throw this.#failure;
  }

  async catchUp(): Promise<void> {
    while (this.isBehind && !this.#closed) await this.write();
  }

  /** To be called when rows have become newer than the index. */
  touch(): void {
    if (this.#closed || this.#running) return;
    if (this.#parts.state.dirtyCount >= HURRY_ROWS && !this.#failure) void this.write();
    else this.#timer ??= setTimeout(() => void this.write(), this.#failure ? RETRY_MS : this.#parts.intervalMs).unref();
  }

  /** One index transaction, after the one that may be running. Does not throw: a failure is tried again later. */
  async write(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#running) return this.#running;
    this.#running = this.#write().finally(() => {
      this.#running = undefined;
    });
    await this.#running;
    if (this.#parts.state.dirtyCount > 0) this.touch();
  }

  async #write(): Promise<void> {
    const { state, index, log, files } = this.#parts;
    // Before the index forgets a removed file its removal must be durable.
    await files.flushUnlinked();
    const { place, sequence } = log.durable;
    const { writes, settle } = state.takeDirty();
    const meta = encodeCheckpoint({ place, sequence, lowestFile: files.lowest, nextFile: files.next });
    const trash = new Set(files.trash);
    try {
      await index.write([...writes, ...this.#trashWrites(trash), { key: META_KEY, value: meta }]);
    } catch (error) {
      settle(false);
      this.#failure = storageFailure(error, 'writing the index');
      this.#parts.onFailed(error);
      return;
    }
    this.#failure = undefined;
    this.#knownTrash = trash;
    settle(true);
    this.#parts.onWritten(place);
  }

  #trashWrites(trash: ReadonlySet<number>): IndexWrite[] {
    const known = this.#knownTrash;
    const writes: IndexWrite[] = [];
    for (const file of known) if (!trash.has(file)) writes.push({ key: fileKey(TABLE.trash, file), value: null });
    for (const file of trash) if (!known.has(file)) writes.push({ key: fileKey(TABLE.trash, file), value: USED });
    return writes;
  }

  /** The last transaction. Fails `storage-failed` when the index could not be written. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#running;
    await this.write();
    if (this.#failure)
      throw new Failure('storage-failed', 'The index could not be written; the log keeps the changes.');
  }
}
