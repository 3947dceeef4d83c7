import { BucketTable } from './bucket-table.ts';
import { noSuchBucket } from './failures.ts';
import type { IndexStore, IndexWrite } from './index-store.ts';
import { fileKey, NAME_AT, segmentKey, TABLE } from './keys.ts';
import { type BucketRow, decodeRow, fileExtents, inlineExtent, type Row } from './rows.ts';

/** One row that is newer in memory than in the index. */
export interface Cell {
  readonly key: Buffer;
  readonly id: string;
  /** As of the last flushed record: what readers see. */
  visible: Row | null;
  visibleBytes: Buffer | null;
  /** As of the last record queued: what the next writer decides on. */
  projected: Row | null;
  pending: number;
}

/** A row change of one record: decided, encoded, with its place in the log. */
export interface Change {
  readonly key: Buffer;
  readonly row: Row | null;
  readonly bytes: Buffer | null;
}

/**
 * What the log says beyond the index: rows in memory until the index has them, and the sums derived from rows (usage of
 * buckets, live bytes of segments, files in use). Two views of every row: writers decide on the projected one in log
 * order; readers see the visible one, which changes only after the flush.
 */
export class State {
  readonly buckets = new BucketTable();
  readonly #index: IndexStore;
  readonly #cells = new Map<string, Cell>();
  #dirty = new Set<Cell>();
  /** Bytes of live small data per segment; a segment that is missing has none. */
  readonly liveBytes = new Map<number, number>();
  #dirtySegments = new Set<number>();
  #dirtyUsage = new Set<string>();
  #fileWrites = new Map<number, boolean>();
  /** Told about files that no row uses any more. Set by the owner of the files. */
  onFilesFreed: (files: readonly number[]) => void = () => {};
  /** Told after each flushed record. */
  onLanded: () => void = () => {};

  constructor(index: IndexStore) {
    this.#index = index;
  }

  get dirtyCount(): number {
    return this.#dirty.size;
  }

  visible(key: Buffer): Row | null {
    const cell = this.#cells.get(cellId(key));
    return cell ? cell.visible : this.#stored(key);
  }

  projected(key: Buffer): Row | null {
    const cell = this.#cells.get(cellId(key));
    return cell ? cell.projected : this.#stored(key);
  }

  /** Whether an earlier write of this row is still on its way to the disk. */
  isPending(key: Buffer): boolean {
    return (this.#cells.get(cellId(key))?.pending ?? 0) > 0;
  }

  #stored(key: Buffer): Row | null {
    const bytes = this.#index.get(key);
    return bytes === undefined ? null : decodeRow(key, bytes);
  }

  /** Whether a row refers to the large file, as of the last flushed record. */
  usesFile(file: number): boolean {
    return this.#fileWrites.get(file) ?? this.#index.get(fileKey(TABLE.file, file)) !== undefined;
  }

  /** Large files that came into use (true) or went out of it since the index was written. */
  get fileChanges(): ReadonlyMap<number, boolean> {
    return this.#fileWrites;
  }

  /** Cells whose key begins with `prefix`, unordered. */
  *cellsUnder(prefix: Buffer): Generator<Cell> {
    const start = cellId(prefix);
    for (const cell of this.#cells.values()) if (cell.id.startsWith(start)) yield cell;
  }

  /** Reads the rows that are about to change; after it `stage` cannot fail. Fails `data-damaged`. */
  load(keys: readonly { readonly key: Buffer }[]): void {
    for (const { key } of keys) this.#cell(key);
  }

  /** Enters queued changes into the projected view. */
  stage(changes: readonly Change[]): Cell[] {
    return changes.map((change) => {
      const cell = this.#cell(change.key);
      this.buckets.projectCount(change.key, cell.projected, change.row);
      if (change.key[0] === TABLE.bucket)
        this.buckets.project(cell.projected as BucketRow | null, change.row as BucketRow | null);
      cell.projected = change.row;
      cell.pending += 1;
      return cell;
    });
  }

  #cell(key: Buffer): Cell {
    const id = cellId(key);
    let cell = this.#cells.get(id);
    if (!cell) {
      const bytes = this.#index.get(key) ?? null;
      const row = bytes === null ? null : decodeRow(key, bytes);
      cell = { key, id, visible: row, visibleBytes: bytes, projected: row, pending: 0 };
      this.#cells.set(id, cell);
    }
    return cell;
  }

  /** Makes changes visible: their record is on stable storage. `cells` are those `stage` answered. */
  land(changes: readonly Change[], cells: readonly Cell[]): void {
    const freed = new Set<number>();
    const used = new Set<number>();
    for (let index = 0; index < changes.length; index++) {
      const change = changes[index]!;
      const cell = cells[index]!;
      this.#derive(change, cell.visible, freed, used);
      cell.visible = change.row;
      cell.visibleBytes = change.bytes;
      cell.pending -= 1;
      this.#dirty.add(cell);
    }
    for (const file of used) if (!freed.delete(file)) this.#fileWrites.set(file, true);
    this.onLanded();
    if (freed.size === 0) return;
    for (const file of freed) this.#fileWrites.set(file, false);
    this.onFilesFreed([...freed]);
  }

  #derive(change: Change, old: Row | null, freed: Set<number>, used: Set<number>): void {
    const before = inlineExtent(old);
    const after = inlineExtent(change.row);
    if (before) this.#addLive(before.segment, -before.size);
    if (after) this.#addLive(after.segment, after.size);
    for (const extent of fileExtents(old)) freed.add(extent.file);
    for (const extent of fileExtents(change.row)) used.add(extent.file);
    if (change.key[0] === TABLE.bucket) {
      this.buckets.land(old as BucketRow | null, change.row as BucketRow | null);
      this.#dirtyUsage.add(change.key.toString('hex', 1, NAME_AT));
    } else if (this.buckets.count(change.key, old, change.row)) {
      this.#dirtyUsage.add(change.key.toString('hex', 1, NAME_AT));
    }
  }

  #addLive(segment: number, bytes: number): void {
    this.liveBytes.set(segment, (this.liveBytes.get(segment) ?? 0) + bytes);
    this.#dirtySegments.add(segment);
  }

  /** Takes back everything that was queued and will never be flushed. */
  abandon(cells: readonly Cell[]): void {
    for (const cell of cells) {
      cell.pending = 0;
      cell.projected = cell.visible;
      // Not dropped here: an index transaction with its visible value may still be on its way.
      this.#dirty.add(cell);
    }
    this.buckets.forgetProjected();
  }

  /** Fails `no-such-bucket` when the bucket is gone or going. */
  requireBucket(bucket: { readonly id: string; readonly name: string }): void {
    if (!this.buckets.isOpen(bucket.id)) throw noSuchBucket(bucket.name);
  }

  /** Everything visible that the index lacks, to be written in one transaction, and what to call afterwards. */
  takeDirty(): { writes: IndexWrite[]; settle: (written: boolean) => void } {
    const cells = this.#dirty;
    const segments = this.#dirtySegments;
    const usage = this.#dirtyUsage;
    const files = this.#fileWrites;
    this.#dirty = new Set();
    this.#dirtySegments = new Set();
    this.#dirtyUsage = new Set();
    this.#fileWrites = new Map();
    const writes: IndexWrite[] = [];
    for (const cell of cells) writes.push({ key: cell.key, value: cell.visibleBytes });
    for (const segment of segments) writes.push(this.#liveWrite(segment));
    for (const id of usage) writes.push(this.buckets.usageWrite(id));
    for (const [file, used] of files) writes.push({ key: fileKey(TABLE.file, file), value: used ? USED : null });
    const settle = (written: boolean) => {
      if (written) return this.#dropClean(cells);
      for (const cell of cells) this.#dirty.add(cell);
      for (const segment of segments) this.#dirtySegments.add(segment);
      for (const id of usage) this.#dirtyUsage.add(id);
      for (const [file, used] of files) if (!this.#fileWrites.has(file)) this.#fileWrites.set(file, used);
    };
    return { writes, settle };
  }

  #liveWrite(segment: number): IndexWrite {
    const live = this.liveBytes.get(segment) ?? 0;
    if (live <= 0) return { key: segmentKey(segment), value: null };
    const value = Buffer.allocUnsafe(8);
    value.writeDoubleBE(live);
    return { key: segmentKey(segment), value };
  }

  #dropClean(cells: Set<Cell>): void {
    for (const cell of cells) {
      if (cell.pending === 0 && !this.#dirty.has(cell)) this.#cells.delete(cell.id);
    }
  }
}

const USED = Buffer.of(1);

/** Latin-1 keeps one character per byte, so prefixes of keys are prefixes of ids. */
function cellId(key: Buffer): string {
  return key.toString('latin1', 0, key.length);
}
