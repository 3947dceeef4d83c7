import type { BucketRecord, BucketUsage } from '../engine.ts';
import type { IndexWrite } from './index-store.ts';
import { bucketPrefix, NAME_AT, TABLE } from './keys.ts';
import type { BucketRow, Row } from './rows.ts';

interface Entry {
  record: BucketRecord;
  /** Visible sums. */
  objectCount: number;
  objectBytes: number;
  uploadCount: number;
  uploadBytes: number;
  /** Objects and uploads including queued writes: what decides whether a bucket is empty. */
  projectedItems: number;
  /** False while a deletion is queued. */
  open: boolean;
}

/**
 * All buckets, in memory, with their usage. `byName` of the projected view lets exactly one creation win; readers see a
 * bucket only after its record was flushed.
 */
export class BucketTable {
  readonly #visible = new Map<string, BucketRecord>();
  readonly #entries = new Map<string, Entry>();
  readonly #projectedNames = new Map<string, BucketRecord | null>();

  find(name: string): BucketRecord | undefined {
    return this.#visible.get(name);
  }

  /** By name, queued creations and deletions included. */
  findProjected(name: string): BucketRecord | undefined {
    const queued = this.#projectedNames.get(name);
    return queued === undefined ? this.#visible.get(name) : (queued ?? undefined);
  }

  isOpen(id: string): boolean {
    return this.#entries.get(id)?.open ?? false;
  }

  isEmpty(id: string): boolean {
    return (this.#entries.get(id)?.projectedItems ?? 0) === 0;
  }

  ofOrganization(orgId: string): BucketRecord[] {
    const all = [...this.#visible.values()].filter((bucket) => bucket.orgId === orgId);
    return all.sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  countProjected(orgId: string): number {
    let count = 0;
    for (const entry of this.#entries.values()) if (entry.open && entry.record.orgId === orgId) count += 1;
    return count;
  }

  usage(id: string): BucketUsage | undefined {
    const entry = this.#entries.get(id);
    if (!entry) return undefined;
    return { objectCount: entry.objectCount, objectBytes: entry.objectBytes, uploadBytes: entry.uploadBytes };
  }

  project(old: BucketRow | null, row: BucketRow | null): void {
    if (row) {
      this.#projectedNames.set(row.name, row);
      this.#entries.set(row.id, newEntry(row));
    } else if (old) {
      this.#projectedNames.set(old.name, null);
      const entry = this.#entries.get(old.id);
      if (entry) entry.open = false;
    }
  }

  land(old: BucketRow | null, row: BucketRow | null): void {
    const changed = row ?? old;
    if (!changed) return;
    if (row) {
      const { table: _, ...record } = row;
      this.#visible.set(row.name, record);
    } else {
      this.#visible.delete(changed.name);
      this.#entries.delete(changed.id);
    }
    const queued = this.#projectedNames.get(changed.name);
    if (queued === null ? row === null : queued?.id === row?.id) this.#projectedNames.delete(changed.name);
  }

  projectCount(key: Buffer, old: Row | null, row: Row | null): void {
    if (key[0] !== TABLE.object && key[0] !== TABLE.upload) return;
    const entry = this.#entries.get(key.toString('hex', 1, NAME_AT));
    if (entry) entry.projectedItems += Number(row !== null) - Number(old !== null);
  }

  /** Adds a flushed change to the sums; answers whether the row counts for any. */
  count(key: Buffer, old: Row | null, row: Row | null): boolean {
    const table = key[0];
    if (table !== TABLE.object && table !== TABLE.upload && table !== TABLE.part) return false;
    const entry = this.#entries.get(key.toString('hex', 1, NAME_AT));
    if (!entry) return false;
    const more = Number(row !== null) - Number(old !== null);
    const bytes = sizeOf(row) - sizeOf(old);
    if (table === TABLE.object) {
      entry.objectCount += more;
      entry.objectBytes += bytes;
    } else if (table === TABLE.upload) entry.uploadCount += more;
    else entry.uploadBytes += bytes;
    return true;
  }

  /** After a failed flush: nothing is queued any more. */
  forgetProjected(): void {
    for (const record of this.#projectedNames.values()) {
      if (record && this.#visible.get(record.name)?.id !== record.id) this.#entries.delete(record.id);
    }
    this.#projectedNames.clear();
    for (const entry of this.#entries.values()) {
      entry.open = true;
      entry.projectedItems = entry.objectCount + entry.uploadCount;
    }
  }

  load(row: BucketRow, usage: Buffer | undefined): void {
    this.project(null, row);
    this.land(null, row);
    const entry = this.#entries.get(row.id);
    if (!entry || !usage) return;
    entry.objectCount = usage.readDoubleBE(0);
    entry.objectBytes = usage.readDoubleBE(8);
    entry.uploadCount = usage.readDoubleBE(16);
    entry.uploadBytes = usage.readDoubleBE(24);
    entry.projectedItems = entry.objectCount + entry.uploadCount;
  }

  usageWrite(id: string): IndexWrite {
    const key = bucketPrefix(TABLE.usage, id);
    const entry = this.#entries.get(id);
    if (!entry) return { key, value: null };
    const value = Buffer.allocUnsafe(32);
    value.writeDoubleBE(entry.objectCount, 0);
    value.writeDoubleBE(entry.objectBytes, 8);
    value.writeDoubleBE(entry.uploadCount, 16);
    value.writeDoubleBE(entry.uploadBytes, 24);
    return { key, value };
  }
}

function newEntry(row: BucketRow): Entry {
  const { table: _, ...record } = row;
  return {
    record,
    objectCount: 0,
    objectBytes: 0,
    uploadCount: 0,
    uploadBytes: 0,
    projectedItems: 0,
    open: true,
  };
}

function sizeOf(row: Row | null): number {
  return row && (row.table === 'object' || row.table === 'part') ? row.size : 0;
}
