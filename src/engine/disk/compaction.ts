import { commit, type Disk } from './disk.ts';
import type { Handle } from './fd-cache.ts';
import { TABLE } from './keys.ts';
import { readFully } from './large-file.ts';
import {
  dataIsWhole,
  dataOf,
  isBefore,
  type LogPlace,
  metaOf,
  RECORD,
  readChanges,
  readHead,
  recordBytes,
} from './record.ts';
import { type DoneRow, decodeRow, type InlineExtent, inlineExtent, type ObjectRow, type PartRow } from './rows.ts';

/** A segment with less live data than this share of its size is rewritten. */
const LIVE_SHARE_MIN = 0.5;
const SWEEP_MS = 3600 * 1000;
/** Rows looked at in one turn of the event loop while sweeping. */
const SWEEP_ROWS = 1000;

/**
 * Returns space: removes segments without live data, moves the live rest of mostly dead ones to the end of the log, and
 * forgets answers of completed uploads after their time. A move is an ordinary record; until it is flushed and the index
 * has it, the old bytes stay.
 */
export class Compactor {
  readonly #disk: Disk;
  readonly #onError: (error: unknown) => void;
  readonly #damaged = new Set<number>();
  #running: Promise<void> | undefined;
  #closed = false;
  #sweptAt = Number.NEGATIVE_INFINITY;

  constructor(disk: Disk, onError: (error: unknown) => void) {
    this.#disk = disk;
    this.#onError = onError;
  }

  /** `place`: the index holds everything before it, so no start will read older segments. */
  afterCheckpoint(place: LogPlace): void {
    if (this.#running || this.#closed) return;
    this.#running = this.#work(place)
      .catch((error) => {
        if (!this.#disk.log.failed) this.#onError(error);
      })
      .finally(() => {
        this.#running = undefined;
      });
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#running;
  }

  async #work(place: LogPlace): Promise<void> {
    const rewrite = this.#removeDead(place);
    if (rewrite !== undefined && !this.#closed) await this.#moveLive(rewrite);
    const now = this.#disk.clock.now();
    if (Math.abs(now - this.#sweptAt) < SWEEP_MS || this.#closed) return;
    this.#sweptAt = now;
    await this.#forgetOldAnswers(now);
  }

  /** Answers the segment that is worth rewriting most, if any is. */
  #removeDead(place: LogPlace): number | undefined {
    const { segments, state } = this.#disk;
    let best: number | undefined;
    let bestShare = LIVE_SHARE_MIN;
    for (const segment of segments.list()) {
      if (segment >= place.segment) break;
      const live = state.liveBytes.get(segment) ?? 0;
      if (live <= 0) {
        segments.discard(segment);
        continue;
      }
      if (this.#damaged.has(segment)) continue;
      const share = live / segments.size(segment);
      if (share >= bestShare) continue;
      best = segment;
      bestShare = share;
    }
    return best;
  }

  async #moveLive(segment: number): Promise<void> {
    const { segments, fs } = this.#disk;
    segments.pin(segment);
    let handle: Handle | undefined;
    try {
      handle = segments.acquire(segment);
      const bytes = Buffer.allocUnsafeSlow(segments.size(segment));
      const count = await readFully(fs, handle.fd, bytes, 0);
      await this.#moveRecords(segment, bytes.subarray(0, count));
    } finally {
      if (handle) segments.release(handle);
      segments.unpin(segment);
    }
  }

  async #moveRecords(segment: number, bytes: Buffer): Promise<void> {
    for (let at = 0; !this.#closed; ) {
      const head = readHead(bytes, at, this.#disk.segments.salt);
      if (!head) break;
      if (head.type === RECORD.changes && head.dataBytes > 0) {
        const data = dataOf(bytes, at, head);
        const offset = data.byteOffset - bytes.byteOffset;
        if (!dataIsWhole(bytes, at, head)) this.#reportDamage(segment, offset);
        else {
          for (const { key, value } of readChanges(metaOf(bytes, at, head))) {
            if (value && inlineExtent(decodeRow(key, value))) await this.#move(key, { segment, offset }, data);
          }
        }
      }
      at += recordBytes(head.metaBytes, head.dataBytes);
    }
    if (!this.#closed) this.#noteLeftovers(segment);
  }

  /** Live bytes that could not be reached lie behind a damaged header; the segment is kept as it is. */
  #noteLeftovers(segment: number): void {
    if ((this.#disk.state.liveBytes.get(segment) ?? 0) > 0) this.#damaged.add(segment);
  }

  #reportDamage(segment: number, offset: number): void {
    this.#damaged.add(segment);
    this.#disk.onDamage(`segment ${segment}, offset ${offset}`);
  }

  async #move(key: Buffer, from: LogPlace, data: Buffer): Promise<void> {
    const bytes = data.length + 64 * 1024;
    await commit(this.#disk, { bytes, deletion: false }, () => {
      const row = this.#disk.state.projected(key) as ObjectRow | PartRow | null;
      const extent = inlineExtent(row);
      if (!row || !extent || !isAt(extent, from)) return { drafts: [], result: undefined };
      const extents = row.extents.map((one) => ({ ...one }));
      return { drafts: [{ key, row: { ...row, extents } }], data, result: undefined };
    });
  }

  async #forgetOldAnswers(now: number): Promise<void> {
    const { index, options } = this.#disk;
    let start: Buffer | undefined = Buffer.of(TABLE.done);
    while (start && !this.#closed) {
      const expired: Buffer[] = [];
      let seen = 0;
      let next: Buffer | undefined;
      index.scan(start, Buffer.of(TABLE.done + 1), (row) => {
        const key = row.copyKey();
        if (++seen > SWEEP_ROWS) next = key;
        else if (now - (decodeRow(key, row.copyValue()) as DoneRow).completedAt > options.doneMs) expired.push(key);
        return next === undefined;
      });
      for (const key of expired) {
        await commit(this.#disk, { bytes: 4096, deletion: true }, () => ({
          drafts: [{ key, row: null }],
          result: undefined,
        }));
      }
      start = next;
    }
  }
}

function isAt(extent: InlineExtent, place: LogPlace): boolean {
  return !isBefore(extent, place) && !isBefore(place, extent);
}
