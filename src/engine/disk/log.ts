import { crc32c } from '@node-rs/crc32';
import { Failure } from '../../core/index.ts';
import { storageFailure } from './failures.ts';
import { type DiskFs, dropFront, READ_WRITE, writeFully } from './fs.ts';
import { changesBytes, HEADER_BYTES, type LogPlace, RECORD, recordBytes, sealRecord, writeChanges } from './record.ts';
import { encodeRow, inlineExtent, type Row } from './rows.ts';
import type { SegmentFiles } from './segment.ts';
import type { Cell, Change, State } from './state.ts';

/** A row change that has been decided on; the log gives it its place and its bytes. */
export interface Draft {
  readonly key: Buffer;
  readonly row: Row | null;
}

interface Queued {
  readonly type: number;
  readonly head: Buffer;
  readonly metaBytes: number;
  readonly data: Uint8Array | undefined;
  readonly dataCrc: number;
  readonly sequence: number;
  readonly place: LogPlace;
  readonly size: number;
  readonly changes: readonly Change[];
  readonly cells: readonly Cell[];
  readonly resolve: () => void;
  readonly reject: (reason: Failure) => void;
}

export interface LogOptions {
  readonly segmentBytes: number;
  /** Where the next record goes: a prepared, empty segment. Undefined = the disk is full, one is made when needed. */
  readonly segment: number | undefined;
  readonly activeBytes: number;
  /** End of what is on stable storage, and the number of its last record. */
  readonly durable: LogPlace;
  readonly sequence: number;
  readonly onFailed: (failure: Failure) => void;
}

const GROUP_BYTES_MAX = 8 * 1024 * 1024;
/** Above this a write to the page cache takes long enough to be worth a thread. */
const SYNC_WRITE_BYTES_MAX = 256 * 1024;
/** How full a segment is when the next one is made. An idle server makes none. */
const PREPARE_SHARE = 0.25;
/** While the disk is full a segment is tried for this seldom: each trial writes up to a segment of zeros. */
const PREPARE_RETRY_MS = 250;
const NO_CHANGES: readonly Change[] = [];
const PADDING = new Uint8Array(8);

/**
 * The append-only log with group commit: everything queued while one flush runs goes into the next one, as one write
 * and one fdatasync. A record's promise resolves only after that. Records take effect in queue order.
 */
export class Log {
  readonly #fs: DiskFs;
  readonly #segments: SegmentFiles;
  readonly #state: State;
  readonly #segmentBytes: number;
  readonly #onFailed: (failure: Failure) => void;
  #segment: number;
  #activeBytes: number;
  #offset = 0;
  /** Write handles of the active segment and of those prepared after it, opened ahead of need. */
  readonly #fds = new Map<number, number>();
  #sequence: number;
  #durable: LogPlace;
  #durableSequence: number;
  #queue: Queued[] = [];
  #busy = false;
  #mustRoll = false;
  #nextReady = false;
  #prepareFailed = false;
  #refusal: Failure | undefined;
  /** Why the last group failed, while a start could still find some of it. */
  #torn: Failure | undefined;
  #whenCutOff: (() => void)[] = [];
  #preparing: Promise<void> | undefined;
  #failed: Failure | undefined;
  #idle: (() => void)[] = [];
  #writing: readonly Queued[] = [];
  #waiters: { sequence: number; resolve: () => void; reject: (reason: Failure) => void }[] = [];

  constructor(fs: DiskFs, segments: SegmentFiles, state: State, options: LogOptions) {
    this.#fs = fs;
    this.#segments = segments;
    this.#state = state;
    this.#segmentBytes = options.segmentBytes;
    this.#onFailed = options.onFailed;
    this.#segment = options.segment ?? options.durable.segment;
    this.#activeBytes = options.activeBytes;
    this.#durable = options.durable;
    this.#sequence = options.sequence;
    this.#durableSequence = options.sequence;
    this.#mustRoll = options.segment === undefined;
    if (options.segment === undefined) return;
    this.#fds.set(options.segment, fs.openSync(segments.path(options.segment), READ_WRITE));
    this.#queueStart(options.durable);
  }

  /** Everything before it is on stable storage. */
  get durable(): { place: LogPlace; sequence: number } {
    return { place: this.#durable, sequence: this.#durableSequence };
  }

  get failed(): Failure | undefined {
    return this.#failed;
  }

  /**
   * Whether a start could still find the record that was refused with `error`: what it refers to must stay for now. A
   * write that failed half way leaves whole records behind, until the next segment says that the log ended before them.
   */
  mayReplay(error: unknown): boolean {
    return this.#failed !== undefined || (this.#torn !== undefined && this.#torn === error);
  }

  /** Runs `work` when no start can find the refused records any more; never when the log has failed for good. */
  whenCutOff(work: () => void): void {
    this.#whenCutOff.push(work);
  }

  /** Space that only deletions may use while no further segment is ready. */
  get #reserve(): number {
    return Math.min(1024 * 1024, this.#segmentBytes >>> 3);
  }

  /** Whether a record of `size` bytes could be queued now. */
  hasRoom(size: number, deletion: boolean): boolean {
    if (this.#failed) throw this.#failed;
    const spare = deletion || this.#nextReady ? 0 : this.#reserve;
    return (!this.#mustRoll && this.#offset + size + spare <= this.#activeBytes) || this.#nextReady;
  }

  /** Fails `storage-full`, `storage-failed`. */
  async waitForRoom(size: number, deletion: boolean): Promise<void> {
    while (!this.hasRoom(size, deletion)) await this.#prepareNext();
  }

  /** Makes the next segment. Fails `storage-full`. */
  #prepareNext(): Promise<void> {
    if (this.#nextReady) return Promise.resolve();
    if (this.#refusal) return Promise.reject(this.#refusal);
    this.#preparing ??= this.#prepare().finally(() => {
      this.#preparing = undefined;
    });
    return this.#preparing;
  }

  async #prepare(): Promise<void> {
    try {
      const segment = this.#segment + 1;
      await this.#segments.prepare(segment, this.#segmentBytes);
      this.#fds.set(segment, this.#fs.openSync(this.#segments.path(segment), READ_WRITE));
    } catch (error) {
      this.#prepareFailed = true;
      this.#refusal = storageFailure(error, 'making a log segment');
      setTimeout(() => {
        this.#refusal = undefined;
      }, PREPARE_RETRY_MS).unref();
      throw this.#refusal;
    }
    this.#prepareFailed = false;
    this.#nextReady = true;
  }

  /**
   * Queues one record and enters its changes into the projected view. The caller has made sure of room in the same
   * turn. Resolves when the record is on stable storage and visible.
   */
  append(drafts: readonly Draft[], data?: Uint8Array): Promise<void> {
    const encoded = drafts.map(({ key, row }) => ({ key, row, encoded: row && encodeRow(row) }));
    const changes: Change[] = encoded.map((one) => ({ key: one.key, row: one.row, bytes: one.encoded?.bytes ?? null }));
    const logged = changes.map(({ key, bytes }) => ({ key, value: bytes }));
    const metaBytes = changesBytes(logged);
    const size = recordBytes(metaBytes, data?.length ?? 0);
    // Whatever can fail comes before the place is taken: a hole in the log would look like damage.
    this.#state.load(drafts);
    const place = this.#place(size);
    for (const { row, encoded: bytes } of encoded) {
      const extent = inlineExtent(row);
      if (!extent || bytes?.placeAt === undefined || data === undefined) continue;
      extent.segment = place.segment;
      extent.offset = place.offset + HEADER_BYTES + metaBytes;
      bytes.bytes.writeUInt32BE(extent.segment, bytes.placeAt);
      bytes.bytes.writeUInt32BE(extent.offset, bytes.placeAt + 4);
    }
    const head = Buffer.allocUnsafe(HEADER_BYTES + metaBytes);
    writeChanges(head, logged);
    const cells = this.#state.stage(changes);
    return new Promise((resolve, reject) => {
      this.#push({ type: RECORD.changes, head, metaBytes, data, size, place, changes, cells, resolve, reject });
    });
  }

  /** Resolves when everything queued so far is on stable storage. */
  barrier(): Promise<void> {
    if (this.#failed) return Promise.reject(this.#failed);
    const last = this.#queue.at(-1) ?? this.#writing.at(-1);
    if (!last) return Promise.resolve();
    return new Promise((resolve, reject) => this.#waiters.push({ sequence: last.sequence, resolve, reject }));
  }

  #push(item: Omit<Queued, 'dataCrc' | 'sequence'>): void {
    this.#sequence += 1;
    const dataCrc = item.data ? crc32c(item.data) : 0;
    this.#queue.push({ ...item, dataCrc, sequence: this.#sequence });
    this.#schedule();
  }

  #place(size: number): LogPlace {
    if (this.#failed) throw this.#failed;
    if (this.#mustRoll || this.#offset + size > this.#activeBytes) this.#roll(size);
    const place = { segment: this.#segment, offset: this.#offset };
    this.#offset += size;
    if (this.#offset > this.#activeBytes * PREPARE_SHARE && !this.#prepareFailed) this.#prepareAhead();
    return place;
  }

  #prepareAhead(): void {
    this.#prepareNext().catch(() => {
      // Tried again by the first write that needs the space; that one gets the refusal.
    });
  }

  #roll(size: number): void {
    if (!this.#nextReady) throw new Failure('storage-full', 'The log has no room. Try again.');
    if (size + 4096 > this.#segmentBytes) throw new Failure('internal', `A record of ${size} bytes exceeds a segment.`);
    const end = this.#mustRoll ? this.#durable : { segment: this.#segment, offset: this.#offset };
    this.#mustRoll = false;
    this.#nextReady = false;
    this.#segment += 1;
    this.#activeBytes = this.#segmentBytes;
    this.#offset = 0;
    this.#queueStart(end);
  }

  /** The first record of a segment says where the log ended before it. */
  #queueStart(previousEnd: LogPlace): void {
    const metaBytes = 8;
    const head = Buffer.allocUnsafe(HEADER_BYTES + metaBytes);
    head.writeUInt32BE(previousEnd.segment, HEADER_BYTES);
    head.writeUInt32BE(previousEnd.offset, HEADER_BYTES + 4);
    const size = recordBytes(metaBytes, 0);
    const place = { segment: this.#segment, offset: 0 };
    this.#offset = size;
    const nothing = () => {};
    this.#push({
      type: RECORD.segmentStart,
      head,
      metaBytes,
      data: undefined,
      size,
      place,
      changes: NO_CHANGES,
      cells: [],
      resolve: nothing,
      reject: nothing,
    });
  }

  #schedule(): void {
    if (this.#busy) return;
    this.#busy = true;
    // Everything that became ready in this turn of the event loop joins the group.
    setImmediate(() => void this.#flush());
  }

  async #flush(): Promise<void> {
    const group = this.#takeGroup();
    this.#writing = group;
    try {
      await this.#write(group);
    } catch (error) {
      this.#fail(error, group);
    }
    this.#writing = [];
    this.#busy = false;
    if (this.#queue.length > 0 && !this.#failed) this.#schedule();
    else for (const done of this.#idle.splice(0)) done();
  }

  #takeGroup(): Queued[] {
    let bytes = 0;
    let count = 0;
    const segment = this.#queue[0]?.place.segment;
    for (const item of this.#queue) {
      if (item.place.segment !== segment || (count > 0 && bytes + item.size > GROUP_BYTES_MAX)) break;
      bytes += item.size;
      count += 1;
    }
    return this.#queue.splice(0, count);
  }

  async #write(group: readonly Queued[]): Promise<void> {
    const first = group[0];
    const last = group.at(-1);
    if (!first || !last) return;
    const pieces = this.#seal(group);
    const bytes = last.place.offset + last.size - first.place.offset;
    const fd = this.#useSegment(first.place.segment);
    if (bytes > SYNC_WRITE_BYTES_MAX) await writeFully(this.#fs, fd, pieces, first.place.offset);
    else {
      const written = this.#fs.writevSync(fd, pieces, first.place.offset);
      if (written < bytes) await writeFully(this.#fs, fd, dropFront(pieces, written), first.place.offset + written);
    }
    try {
      await this.#fs.fdatasync(fd);
    } catch (error) {
      // A file system that copies on write may lack space even here. The group was not acknowledged, and the next
      // segment cuts it off. After any other error the kernel may have dropped whatever it likes (threat D-04).
      const failure = storageFailure(error, 'flushing the log');
      if (failure.code === 'storage-full') throw failure;
      throw new Failure('storage-failed', 'The storage failed to flush the log.', { cause: error });
    }
    this.#landed(group, last);
  }

  #landed(group: readonly Queued[], last: Queued): void {
    this.#durable = { segment: last.place.segment, offset: last.place.offset + last.size };
    this.#durableSequence = last.sequence;
    if (this.#torn) {
      this.#torn = undefined;
      for (const work of this.#whenCutOff.splice(0)) work();
    }
    for (const item of group) {
      this.#state.land(item.changes, item.cells);
      item.resolve();
    }
    while (this.#waiters[0] && this.#waiters[0].sequence <= last.sequence) this.#waiters.shift()!.resolve();
  }

  #seal(group: readonly Queued[]): Uint8Array[] {
    const pieces: Uint8Array[] = [];
    for (const item of group) {
      const dataBytes = item.data?.length ?? 0;
      const head = {
        type: item.type,
        sequence: item.sequence,
        durable: this.#durable,
        metaBytes: item.metaBytes,
        dataBytes,
        dataCrc: item.dataCrc,
      };
      sealRecord(item.head, head, this.#segments.salt);
      pieces.push(item.head);
      if (item.data) pieces.push(item.data);
      const padding = item.size - item.head.length - dataBytes;
      if (padding > 0) pieces.push(PADDING.subarray(0, padding));
    }
    return pieces;
  }

  #useSegment(segment: number): number {
    for (const [older, fd] of this.#fds) {
      if (older >= segment) continue;
      this.#fds.delete(older);
      this.#fs.closeSync(fd);
    }
    return this.#fds.get(segment)!;
  }

  /**
   * Nothing of the group was acknowledged. A full disk leaves the log usable from the next segment on, which may have
   * been begun in the queue; anything else ends writing until the engine is opened again.
   */
  #fail(error: unknown, group: readonly Queued[]): void {
    const failure = storageFailure(error, 'writing the log');
    const lost = [...group, ...this.#queue];
    this.#queue = [];
    this.#state.abandon(lost.flatMap((item) => item.cells));
    this.#sequence = this.#durableSequence;
    if (failure.code === 'storage-full') {
      this.#torn = failure;
      if (this.#segment === group[0]?.place.segment) this.#mustRoll = true;
      else this.#queueStart(this.#durable);
    } else {
      this.#failed =
        failure.code === 'storage-failed'
          ? failure
          : new Failure('storage-failed', 'The storage failed while writing the log.', { cause: failure });
      this.#onFailed(this.#failed);
    }
    for (const item of lost) item.reject(this.#failed ?? failure);
    for (const waiter of this.#waiters.splice(0)) waiter.reject(this.#failed ?? failure);
  }

  /** Finishes what is queued and closes the segment. */
  async close(): Promise<void> {
    if (this.#busy) await new Promise<void>((resolve) => this.#idle.push(resolve));
    await this.#preparing?.catch(() => {});
    for (const fd of this.#fds.values()) this.#fs.closeSync(fd);
    this.#fds.clear();
  }
}
