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
      maxReaders: 64,
    });
    return new IndexStore(db);
  }

  /** Fails `data-damaged`. The bytes stay valid. */
  get(key: Buffer): Buffer | undefined {
    const stored = this.#db.getBinary(key);
    if (stored === undefined) return undefined;
    check(key, stored);
    return stored.subarray(0, stored.length - CRC_BYTES);
  }

  /**
   * Rows from `start` (inclusive) to `end` (exclusive), in byte order, as of now, until `visit` answers false. The path
   * of every listing, so without a generator. The value has the row's CRC behind it.
   */
  scan(start: Buffer, end: Buffer | undefined, visit: (key: Buffer, value: Buffer) => boolean): void {
    for (const { key, value } of this.#db.getRange(end ? { start, end } : { start })) {
      check(key, value);
      if (!visit(key, value)) return;
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
    await this.#db.batch(() => {
      for (const { key, value } of writes) {
        if (value === null) this.#db.remove(key);
        else this.#db.put(key, protect(key, value));
      }
    });
    this.#db.resetReadTxn();
  }

  async close(): Promise<void> {
    await this.#db.close();
  }
}

function protect(key: Buffer, value: Buffer): Buffer {
  const stored = Buffer.allocUnsafe(value.length + CRC_BYTES);
  value.copy(stored);
  stored.writeUInt32LE(crc32c(value, crc32c(key)), value.length);
  return stored;
}

/**
 * A CRC continued over its own little-endian value gives a constant, whatever was covered: the check needs no view of
 * the value without its CRC, which in a listing would cost more than the check.
 */
const RESIDUE = 0x48674bc7;

function check(key: Buffer, stored: Buffer): void {
  if (stored.length < CRC_BYTES || crc32c(stored, crc32c(key)) !== RESIDUE) throw damaged('index row');
}
