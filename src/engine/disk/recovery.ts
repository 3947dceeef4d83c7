import { Failure } from '../../core/index.ts';
import { type DiskFs, READ_ONLY, READ_WRITE, syncDirectorySync } from './fs.ts';
import {
  dataIsWhole,
  HEADER_BYTES,
  isBefore,
  type LogPlace,
  metaOf,
  RECORD,
  RECORD_ALIGN,
  RECORD_MAGIC,
  type RecordHead,
  readChanges,
  readHead,
  recordBytes,
} from './record.ts';
import { decodeRow, type Row } from './rows.ts';
import type { SegmentFiles } from './segment.ts';
import type { Change, State } from './state.ts';

const MAGIC_BYTES = Buffer.alloc(4);
MAGIC_BYTES.writeUInt32BE(RECORD_MAGIC);

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
      const bytes = this.#load(this.#segment);
      if (bytes.length < this.#offset) throw this.#refuse('the segment is shorter than the index says');
      const next = this.#nextSegment();
      this.#replaySegment(bytes.subarray(0, next?.previousEnd ?? bytes.length));
      if (!next) {
        this.#checkTail(bytes);
        return { place: { segment: this.#segment, offset: this.#offset }, sequence: this.#sequence };
      }
      if (this.#offset !== next.previousEnd) throw this.#refuse('a record is damaged, and later ones exist');
      this.#segment = next.segment;
      this.#offset = 0;
    }
  }

  /**
   * The segment that continues this one and where it says that this one ended; undefined when this is the last. After a
   * full disk several may claim it, the last of them rightly: nothing in the others was flushed.
   */
  #nextSegment(): { segment: number; previousEnd: number } | undefined {
    let next: { segment: number; previousEnd: number } | undefined;
    for (const segment of this.#numbers) {
      if (segment <= this.#segment) continue;
      const bytes = this.#load(segment, HEADER_BYTES + 8);
      const head = readHead(bytes, 0);
      if (head?.type !== RECORD.segmentStart) continue;
      const meta = metaOf(bytes, 0, head);
      if (meta.readUInt32BE(0) === this.#segment) next = { segment, previousEnd: meta.readUInt32BE(4) };
    }
    if (next && next.previousEnd < this.#offset)
      throw this.#refuse('the next segment begins before the place of the index');
    return next;
  }

  #replaySegment(bytes: Buffer): void {
    for (;;) {
      const head = readHead(bytes, this.#offset);
      if (!head || head.sequence !== this.#sequence + 1 || !dataIsWhole(bytes, this.#offset, head)) return;
      if (head.type === RECORD.changes) this.#apply(readChanges(metaOf(bytes, this.#offset, head)));
      else if (head.type !== RECORD.segmentStart) throw this.#refuse(`record type ${head.type} is not known`);
      this.#sequence = head.sequence;
      this.#offset += recordBytes(head.metaBytes, head.dataBytes);
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
  #checkTail(bytes: Buffer): void {
    const end = { segment: this.#segment, offset: this.#offset };
    for (const number of this.#numbers) {
      if (number < this.#segment) continue;
      const rest = number === this.#segment ? bytes : this.#load(number);
      const from = number === this.#segment ? this.#offset : 0;
      for (const head of recordsIn(rest, from)) {
        if (isBefore(end, head.durable)) throw this.#refuse('a record is damaged, and acknowledged ones follow it');
      }
    }
  }

  #load(segment: number, limit?: number): Buffer {
    const { fs, segments } = this.#input;
    const fd = fs.openSync(segments.path(segment), READ_ONLY);
    try {
      const bytes = Buffer.allocUnsafeSlow(Math.min(fs.sizeSync(fd), limit ?? Number.POSITIVE_INFINITY));
      let done = 0;
      while (done < bytes.length) {
        const count = fs.readSync(fd, bytes, done, bytes.length - done, done);
        if (count === 0) break;
        done += count;
      }
      return bytes.subarray(0, done);
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

/** Every whole header from `from` on, wherever it starts. */
function* recordsIn(bytes: Buffer, from: number): Generator<RecordHead> {
  for (let at = bytes.indexOf(MAGIC_BYTES, from); at >= 0; at = bytes.indexOf(MAGIC_BYTES, at + 1)) {
    if (at % RECORD_ALIGN !== 0) continue;
    const head = readHead(bytes, at);
    if (head) yield head;
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
