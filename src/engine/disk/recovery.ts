import { Failure } from '../../core/index.ts';
import { type DiskFs, READ_ONLY, READ_WRITE, syncDirectorySync } from './fs.ts';
import { dataIsWhole, isBefore, type LogPlace, metaOf, RECORD, readChanges, readHead, recordBytes } from './record.ts';
import { decodeRow, type Row } from './rows.ts';
import type { SegmentFiles } from './segment.ts';
import { SegmentWindow } from './segment-window.ts';
import type { Change, State } from './state.ts';

/** Where the log ended before the segment: its number and the offset. */
const START_META_BYTES = 8;

export interface LogEnd {
  /** End of the last whole record. */
  readonly place: LogPlace;
  readonly sequence: number;
}

export interface RecoverInput {
  readonly fs: DiskFs;
  readonly segments: SegmentFiles;
  readonly state: State;
  /** What the index includes; undefined = an index that was never written. */
  readonly from: LogEnd | undefined;
  readonly directory: string;
}

/**
 * Replays the log from the index's place to its end. An incomplete last group was never acknowledged and is cut off;
 * anything that shows that later records had been flushed stops the start, because acknowledged writes are missing.
 */
export function recover(input: RecoverInput): LogEnd {
  input.segments.removeUnfinished();
  const numbers = input.segments.list();
  const reader = new LogReader(input, numbers);
  const end = reader.replay();
  cutOff(input, numbers, end);
  return end;
}

class LogReader {
  readonly #input: RecoverInput;
  readonly #numbers: readonly number[];
  #segment: number;
  #offset: number;
  #sequence: number;

  constructor(input: RecoverInput, numbers: readonly number[]) {
    this.#input = input;
    this.#numbers = numbers;
    this.#segment = input.from?.place.segment ?? 1;
    this.#offset = input.from?.place.offset ?? 0;
    this.#sequence = input.from?.sequence ?? 0;
  }

  replay(): LogEnd {
    if (this.#numbers.length === 0 && !this.#input.from) return { place: { segment: 0, offset: 0 }, sequence: 0 };
    for (;;) {
      if (!this.#numbers.includes(this.#segment)) {
        throw this.#refuse(`segment ${this.#segment} is missing`);
      }
      const next = this.#reading(this.#segment, (window) => this.#replayWindow(window));
      if (!next) return { place: { segment: this.#segment, offset: this.#offset }, sequence: this.#sequence };
      this.#segment = next;
      this.#offset = 0;
    }
  }

  /** Replays the current segment; answers the number of the next one. */
  #replayWindow(window: SegmentWindow): number | undefined {
    if (window.size < this.#offset) throw this.#refuse('the segment is shorter than the index says');
    const next = this.#nextSegment();
    this.#replaySegment(window, Math.min(next?.previousEnd ?? window.size, window.size));
    if (!next) {
      this.#checkTail(window);
      return undefined;
    }
    if (this.#offset !== next.previousEnd) throw this.#refuse('a record is damaged, and later ones exist');
    return next.segment;
  }

  /**
   * The segment that continues this one and where it says that this one ended; undefined when this is the last. After a
   * full disk several may claim it, the last of them rightly: nothing in the others was flushed.
   */
  #nextSegment(): { segment: number; previousEnd: number } | undefined {
    let next: { segment: number; previousEnd: number } | undefined;
    for (const segment of this.#numbers) {
      if (segment <= this.#segment) continue;
      const bytes = this.#firstBytes(segment, recordBytes(START_META_BYTES, 0));
      const head = readHead(bytes, 0, this.#input.segments.salt);
      if (head?.type !== RECORD.segmentStart) continue;
      const meta = metaOf(bytes, 0, head);
      if (meta.readUInt32BE(0) === this.#segment) next = { segment, previousEnd: meta.readUInt32BE(4) };
    }
    if (next && next.previousEnd < this.#offset)
      throw this.#refuse('the next segment begins before the place of the index');
    return next;
  }

  #replaySegment(window: SegmentWindow, end: number): void {
    for (;;) {
      const head = window.head(this.#offset, end);
      if (!head || head.sequence !== this.#sequence + 1) return;
      const size = recordBytes(head.metaBytes, head.dataBytes);
      const record = window.view(this.#offset, size);
      if (record.length < size || !dataIsWhole(record, 0, head)) return;
      if (head.type === RECORD.changes) this.#apply(readChanges(metaOf(record, 0, head)));
      else if (head.type !== RECORD.segmentStart) throw this.#refuse(`record type ${head.type} is not known`);
      this.#sequence = head.sequence;
      this.#offset += size;
    }
  }

  #apply(logged: readonly { key: Buffer; value: Buffer | null }[]): void {
    const changes: Change[] = logged.map(({ key, value }) => {
      const row: Row | null = value === null ? null : decodeRow(key, value);
      return { key, row, bytes: value };
    });
    const cells = this.#input.state.stage(changes);
    this.#input.state.land(changes, cells);
  }

  /** Records behind the break that were written after it had been flushed prove that it is damage, not a torn write. */
  #checkTail(window: SegmentWindow): void {
    this.#checkNothingDurable(window, this.#offset);
    for (const number of this.#numbers) {
      if (number > this.#segment) this.#reading(number, (later) => this.#checkNothingDurable(later, 0));
    }
  }

  #checkNothingDurable(window: SegmentWindow, from: number): void {
    const end = { segment: this.#segment, offset: this.#offset };
    for (const head of window.heads(from)) {
      if (isBefore(end, head.durable)) throw this.#refuse('a record is damaged, and acknowledged ones follow it');
    }
  }

  #reading<Result>(segment: number, use: (window: SegmentWindow) => Result): Result {
    const { fs, segments } = this.#input;
    const window = new SegmentWindow(fs, segments.path(segment), segments.salt);
    try {
      return use(window);
    } finally {
      window.close();
    }
  }

  #firstBytes(segment: number, count: number): Buffer {
    const { fs, segments } = this.#input;
    const fd = fs.openSync(segments.path(segment), READ_ONLY);
    try {
      const bytes = Buffer.alloc(count);
      return bytes.subarray(0, fs.readSync(fd, bytes, 0, count, 0));
    } finally {
      fs.closeSync(fd);
    }
  }

  #refuse(why: string): Failure {
    return new Failure(
      'data-damaged',
      `The log in ${this.#input.directory} is damaged at segment ${this.#segment}, offset ${this.#offset}: ${why}. ` +
        'Nothing was changed. Restore the directory from a copy, or have it checked.',
    );
  }
}

/** What lies behind the end was never acknowledged; it must not be found by a later start. */
function cutOff(input: RecoverInput, numbers: readonly number[], end: LogEnd): void {
  const { fs, segments } = input;
  for (const number of numbers) if (number > end.place.segment) segments.discard(number);
  if (!numbers.includes(end.place.segment)) return;
  const fd = fs.openSync(segments.path(end.place.segment), READ_WRITE);
  try {
    if (fs.sizeSync(fd) > end.place.offset) fs.ftruncateSync(fd, end.place.offset);
    fs.fsyncSync(fd);
  } finally {
    fs.closeSync(fd);
  }
  syncDirectorySync(fs, segments.directory);
}
