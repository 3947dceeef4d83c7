import { closeSync, fstatSync, ftruncateSync, openSync } from 'node:fs';
import { crc32c } from '@node-rs/crc32';
import { open, type RootDatabase } from 'lmdb';
import { damaged } from './failures.ts';

export interface IndexEntry {
  readonly key: Buffer;
  readonly value: Buffer;
}

/** `value` null = remove. */
export interface IndexWrite {
  readonly key: Buffer;
  readonly value: Buffer | null;
}

const CRC_BYTES = 4;

/**
 * The ordered index on disk (LMDB, every commit flushed: a transaction is there whole or not at all after a power cut).
 * Each value carries a CRC32C over key and value, because LMDB itself does not notice flipped bits.
 */
export class IndexStore {
  readonly #db: RootDatabase<Buffer, Buffer>;

  private constructor(db: RootDatabase<Buffer, Buffer>) {
    this.#db = db;
  }

  static open(path: string): IndexStore {
    const db = open<Buffer, Buffer>({
      path,
      noSubdir: true,
      keyEncoding: 'binary',
      encoding: 'binary',
      // Plain double-meta commits. `overlappingSync` would show commits before they are flushed, which nobody needs
      // here: reads take unflushed rows from memory.
      overlappingSync: false,
      // Every transaction here is one explicit batch. The library's own batching by event turn keeps a promise that
      // nobody can listen to: a failed commit would end the process.
      eventTurnBatching: false,
      maxReaders: 64,
    });
    fillUp(path, db);
    return new IndexStore(db);
  }

  /** Fails `data-damaged`. The bytes stay valid. */
  get(key: Buffer): Buffer | undefined {
    const stored = this.#reading(() => this.#db.getBinary(key));
    if (stored === undefined) return undefined;
    check(key, stored);
    return stored.subarray(0, stored.length - CRC_BYTES);
  }

  /**
   * Rows from `start` (inclusive) to `end` (exclusive), in byte order, as of now, until `visit` answers false. The path
   * of every listing, so without a generator. The value has the row's CRC behind it.
   */
  scan(start: Buffer, end: Buffer | undefined, visit: (key: Buffer, value: Buffer) => boolean): void {
    this.#reading(() => {
      for (const { key, value } of this.#db.getRange(end ? { start, end } : { start })) {
        check(key, value);
        if (!visit(key, value)) return;
      }
    });
  }

  /** Errors of LMDB mean that a page is not what it should be; later reads must not inherit the broken transaction. */
  #reading<Result>(read: () => Result): Result {
    try {
      return read();
    } catch (error) {
      this.#db.resetReadTxn();
      const isLmdb = error instanceof Error && error.message.startsWith('MDB_');
      throw isLmdb ? damaged('index page', error) : error;
    }
  }

  /** All rows of one table. */
  table(table: number): IndexEntry[] {
    const rows: IndexEntry[] = [];
    this.scan(Buffer.of(table), Buffer.of(table + 1), (key, value) => rows.push({ key, value }) > 0);
    return rows;
  }

  /** One transaction; resolves when it is on stable storage. */
  async write(writes: readonly IndexWrite[]): Promise<void> {
    if (writes.length === 0) return;
    try {
      await this.#db.batch(() => {
        let last: Promise<boolean> | undefined;
        for (const { key, value } of writes) {
          const one = value === null ? this.#db.remove(key) : this.#db.put(key, protect(key, value));
          // The batch reports the failure; each write would report it once more, to nobody.
          if (one !== last) one.catch(() => {});
          last = one;
        }
      });
    } catch (error) {
      throw await causeOf(error);
    }
    this.#db.resetReadTxn();
  }

  async close(): Promise<void> {
    await this.#db.close();
  }
}

/** The library rejects with a general error that carries a promise of the real one. */
async function causeOf(error: unknown): Promise<unknown> {
  const { commitError } = error as { commitError?: Promise<unknown> };
  return (
    commitError?.then(
      () => error,
      (cause) => cause,
    ) ?? error
  );
}

interface IndexStats {
  readonly pageSize: number;
  readonly lastPageNumber: number;
}

/**
 * LMDB reads through a memory map: a page behind the end of a file that was cut would kill the process. Filled up with
 * zeros it is found to be damaged instead.
 */
function fillUp(path: string, db: RootDatabase<Buffer, Buffer>): void {
  const { pageSize, lastPageNumber } = db.getStats() as IndexStats;
  const bytes = (lastPageNumber + 1) * pageSize;
  const fd = openSync(path, 'r+');
  try {
    if (fstatSync(fd).size < bytes) ftruncateSync(fd, bytes);
  } finally {
    closeSync(fd);
  }
}

function protect(key: Buffer, value: Buffer): Buffer {
  const stored = Buffer.allocUnsafe(value.length + CRC_BYTES);
  value.copy(stored);
  stored.writeUInt32LE(crc32c(value, keyHash(key)), value.length);
  return stored;
}

/**
 * FNV-1a, where the CRC of the value starts from: a flipped bit of the key shows, and for the usual short key it costs a
 * third of a second call into native code. It also keeps rows from being taken for one another.
 */
function keyHash(key: Buffer): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < key.length; at++) hash = Math.imul(hash ^ key[at]!, 0x01000193);
  return hash >>> 0;
}

/**
 * A CRC continued over its own little-endian value gives a constant, whatever was covered: the check needs no view of
 * the value without its CRC, which in a listing would cost more than the check.
 */
const RESIDUE = 0x48674bc7;

function check(key: Buffer, stored: Buffer): void {
  if (stored.length < CRC_BYTES || crc32c(stored, keyHash(key)) !== RESIDUE) throw damaged('index row');
}
