import { closeSync, fstatSync, ftruncateSync, openSync } from 'node:fs';
import { open, type RootDatabase } from 'lmdb';
import { crc32cOf } from './crc32c.ts';
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
 * The row that a scan has reached, in memory of the library: valid until the visit of it returns. A page of a listing
 * looks at a thousand of them, and copies of key and value would cost more than all the rest of the scan.
 */
export class ScannedRow {
  /** The key is `keyBytes[keyStart..keyEnd)`. */
  keyBytes: Buffer = Buffer.alloc(0);
  keyStart = 0;
  keyEnd = 0;
  /** The value is `valueBytes[0..valueEnd)`. */
  valueBytes: Buffer = Buffer.alloc(0);
  valueEnd = 0;

  copyKey(): Buffer {
    return Buffer.from(this.keyBytes.subarray(this.keyStart, this.keyEnd));
  }

  copyValue(): Buffer {
    const copy = Buffer.allocUnsafe(this.valueEnd);
    this.valueBytes.copy(copy, 0, 0, this.valueEnd);
    return copy;
  }
}

/**
 * The ordered index on disk (LMDB, every commit flushed: a transaction is there whole or not at all after a power cut).
 * Each value carries a CRC32C over key and value, because LMDB itself does not notice flipped bits.
 */
export class IndexStore {
  readonly #db: RootDatabase<Buffer, Buffer>;
  readonly #row: ScannedRow;

  private constructor(db: RootDatabase<Buffer, Buffer>, row: ScannedRow) {
    this.#db = db;
    this.#row = row;
  }

  static open(path: string): IndexStore {
    const row = new ScannedRow();
    const db = open<Buffer, Buffer>({
      path,
      noSubdir: true,
      // Plain bytes. The reading half answers nothing: it notes where the library has put them.
      keyEncoder: { writeKey, readKey: (bytes: Buffer, start: number, end: number) => noteKey(row, bytes, start, end) },
      encoder: {
        encode: (value: Buffer) => value,
        decode: (bytes: Buffer, size: number) => noteValue(row, bytes, size),
      },
      // Plain double-meta commits. `overlappingSync` would show commits before they are flushed, which nobody needs
      // here: reads take unflushed rows from memory.
      overlappingSync: false,
      // Every transaction here is one explicit batch. The library's own batching by event turn keeps a promise that
      // nobody can listen to: a failed commit would end the process.
      eventTurnBatching: false,
      maxReaders: 64,
    });
    fillUp(path, db);
    return new IndexStore(db, row);
  }

  /** Fails `data-damaged`. The bytes stay valid. */
  get(key: Buffer): Buffer | undefined {
    const stored = this.#reading(() => this.#db.getBinary(key));
    if (stored === undefined) return undefined;
    check(keyHash(key, 0, key.length), stored, stored.length);
    return stored.subarray(0, stored.length - CRC_BYTES);
  }

  /**
   * Rows from `start` (inclusive) to `end` (exclusive), in byte order, as of now, until `visit` answers false. The row is
   * the same object each time; `visit` must not use the index.
   */
  scan(start: Buffer, end: Buffer | undefined, visit: (row: ScannedRow) => boolean): void {
    const row = this.#row;
    this.#reading(() => {
      for (const _ of this.#db.getRange(end ? { start, end } : { start })) {
        check(keyHash(row.keyBytes, row.keyStart, row.keyEnd), row.valueBytes, row.valueEnd);
        row.valueEnd -= CRC_BYTES;
        if (!visit(row)) return;
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
    this.scan(
      Buffer.of(table),
      Buffer.of(table + 1),
      (row) => rows.push({ key: row.copyKey(), value: row.copyValue() }) > 0,
    );
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

/** A key that is too long ends in a RangeError, which the library expects. */
function writeKey(key: Buffer, target: Buffer, start: number): number {
  target.set(key, start);
  return start + key.length;
}

function noteKey(row: ScannedRow, bytes: Buffer, start: number, end: number): undefined {
  row.keyBytes = bytes;
  row.keyStart = start;
  row.keyEnd = end;
}

function noteValue(row: ScannedRow, bytes: Buffer, size: number): undefined {
  row.valueBytes = bytes;
  row.valueEnd = size;
}

function protect(key: Buffer, value: Buffer): Buffer {
  const stored = Buffer.allocUnsafe(value.length + CRC_BYTES);
  value.copy(stored);
  stored.writeUInt32LE(crc32cOf(value, 0, value.length, keyHash(key, 0, key.length)), value.length);
  return stored;
}

/**
 * FNV-1a, where the CRC of the value starts from: a flipped bit of the key shows. It also keeps rows from being taken
 * for one another.
 */
function keyHash(key: Buffer, start: number, end: number): number {
  let hash = 0x811c9dc5;
  for (let at = start; at < end; at++) hash = Math.imul(hash ^ key[at]!, 0x01000193);
  return hash >>> 0;
}

/** A CRC continued over its own little-endian value gives a constant, whatever was covered. */
const RESIDUE = 0x48674bc7;

function check(seed: number, stored: Buffer, size: number): void {
  if (size < CRC_BYTES || crc32cOf(stored, 0, size, seed) !== RESIDUE) throw damaged('index row');
}
