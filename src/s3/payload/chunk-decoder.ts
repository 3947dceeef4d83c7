import { createHash, type Hash } from 'node:crypto';
import { PUT_OBJECT_BYTES_MAX } from '../../core/index.ts';
import { S3Error } from '../errors.ts';
import type { ChunkChain } from '../sigv4/index.ts';
import { incompleteBody } from './refusals.ts';
import { TrailerReader } from './trailers.ts';

/** A signed chunk has to be held back until its signature was checked, so its size bounds our memory. */
const SIGNED_CHUNK_BYTES_MAX = 16 * 1024 ** 2;
/** A chunk header is at most 16 digits and a signature; a trailer line a name and a base64 value. */
const LINE_BYTES_MAX = 256;
const LF = 0x0a;
const SMALL_PIECES_MAX = 64;
const MERGED_BYTES = 64 * 1024;

export interface ChunkDecoderOptions {
  /** Present when chunks are signed. */
  readonly chain: ChunkChain | undefined;
  /** `x-amz-decoded-content-length`. */
  readonly size: number;
  readonly trailersAllowed: boolean;
  /** Names announced in `x-amz-trailer`; each must come, and nothing else may. */
  readonly trailers: readonly string[];
}

/**
 * Undoes `aws-chunked` framing, for input cut anywhere. Strict: CRLF only, no spaces, no signs, nothing after the end
 * (threats S-14, S-15, S-16). Data of a signed chunk comes out only after its signature held. Every piece that comes out
 * is the only one of its memory, so that the receiver may transfer it.
 */
export class ChunkDecoder {
  readonly #chain: ChunkChain | undefined;
  readonly #trailers: TrailerReader;
  #state: 'header' | 'data' | 'data-end' | 'trailer' | 'done' = 'header';
  #line: Buffer = Buffer.alloc(0);
  /** Content bytes that are still to be announced by chunk headers. */
  #unannounced: number;
  /** Bytes of the current chunk that are still to come. */
  #remaining = 0;
  #signature = '';
  #hash: Hash | undefined;
  #held: Buffer[] = [];
  #ready: Buffer[] = [];
  /** Number and size of the last held pieces that are not merged yet. */
  #tailCount = 0;
  #tailBytes = 0;

  constructor(options: ChunkDecoderOptions) {
    this.#chain = options.chain;
    this.#unannounced = options.size;
    this.#trailers = new TrailerReader(options.chain, options.trailersAllowed, options.trailers);
  }

  /** Value of an announced trailer, once the body has ended. */
  trailer(name: string): string | undefined {
    return this.#trailers.value(name);
  }

  /** Data that is ready since the last call. */
  take(): Buffer[] {
    const ready = this.#ready;
    this.#ready = [];
    return ready;
  }

  push(input: Buffer): void {
    let position = 0;
    let used = false;
    while (position < input.length) {
      if (this.#state === 'data') {
        const piece = input.subarray(position, position + this.#remaining);
        position += piece.length;
        this.#data(used ? ownCopy(piece) : piece);
        used = true;
      } else if (this.#state === 'done') {
        throw incompleteBody('data follows the last chunk.');
      } else {
        position = this.#collectLine(input, position);
      }
    }
  }

  /** The input has ended: so must the framing have. */
  end(): void {
    if (this.#state !== 'done') throw incompleteBody('the last chunk or its end is missing.');
  }

  #collectLine(input: Buffer, position: number): number {
    const at = input.indexOf(LF, position);
    const end = at < 0 ? input.length : at + 1;
    if (this.#line.length + end - position > LINE_BYTES_MAX)
      throw incompleteBody('a chunk header or trailer is too long.');
    const part = input.subarray(position, end);
    const line = this.#line.length === 0 ? part : Buffer.concat([this.#line, part]);
    // Parts of lines are copied, because the input's memory may be given away with its data.
    this.#line = at < 0 ? Buffer.from(line) : Buffer.alloc(0);
    if (at >= 0) this.#takeLine(line.toString('latin1'));
    return end;
  }

  /** `line` includes its line feed. */
  #takeLine(line: string): void {
    if (this.#state === 'trailer') {
      if (this.#trailers.line(line)) this.#state = 'done';
      return;
    }
    if (!line.endsWith('\r\n')) throw incompleteBody('a chunk header or chunk does not end in CRLF.');
    if (this.#state === 'header') {
      this.#header(line.slice(0, -2));
      return;
    }
    if (line !== '\r\n') throw incompleteBody('a chunk is longer than its header says.');
    this.#state = 'header';
  }

  #header(line: string): void {
    const semicolon = line.indexOf(';');
    const size = this.#readSize(semicolon < 0 ? line : line.slice(0, semicolon));
    this.#readSignature(semicolon < 0 ? '' : line.slice(semicolon));
    if (size > this.#unannounced) throw incompleteBody('the chunks hold more than x-amz-decoded-content-length says.');
    this.#unannounced -= size;
    this.#remaining = size;
    if (this.#chain !== undefined) this.#hash = createHash('sha256');
    if (size > 0) {
      this.#state = 'data';
      return;
    }
    if (this.#unannounced > 0) throw incompleteBody('the chunks hold less than x-amz-decoded-content-length says.');
    this.#verifyChunk();
    this.#state = 'trailer';
  }

  #readSize(digits: string): number {
    const size = /^[0-9a-fA-F]{1,16}$/.test(digits) ? Number.parseInt(digits, 16) : Number.NaN;
    const max = this.#chain === undefined ? PUT_OBJECT_BYTES_MAX : SIGNED_CHUNK_BYTES_MAX;
    if (size <= max) return size;
    throw new S3Error('InvalidChunkSizeError', `The size of a chunk must be hexadecimal and at most ${max} bytes.`);
  }

  #readSignature(extension: string): void {
    const prefix = ';chunk-signature=';
    if (this.#chain === undefined) {
      if (extension !== '') throw incompleteBody('a chunk header holds more than a size.');
      return;
    }
    if (!extension.startsWith(prefix)) throw new S3Error('SignatureDoesNotMatch', 'A chunk of the body is not signed.');
    this.#signature = extension.slice(prefix.length);
  }

  #data(piece: Buffer): void {
    this.#remaining -= piece.length;
    this.#hash?.update(piece);
    this.#hold(piece);
    if (this.#remaining === 0) {
      this.#verifyChunk();
      this.#state = 'data-end';
    } else if (this.#chain === undefined) {
      this.#release();
    }
  }

  /** Held pieces are merged while they are small: a chunk sent byte by byte must not cost an object per byte. */
  #hold(piece: Buffer): void {
    this.#held.push(piece);
    this.#tailCount += 1;
    this.#tailBytes += piece.length;
    if (this.#tailBytes >= MERGED_BYTES) {
      this.#tailCount = 0;
      this.#tailBytes = 0;
    } else if (this.#tailCount >= SMALL_PIECES_MAX) {
      const tail = this.#held.splice(-this.#tailCount);
      this.#held.push(ownCopy(Buffer.concat(tail, this.#tailBytes)));
      this.#tailCount = 1;
    }
  }

  #verifyChunk(): void {
    if (this.#hash !== undefined) this.#chain?.chunk(this.#hash.digest('hex'), this.#signature);
    this.#release();
  }

  #release(): void {
    for (const piece of this.#held) this.#ready.push(piece);
    this.#held = [];
    this.#tailCount = 0;
    this.#tailBytes = 0;
  }
}

function ownCopy(piece: Buffer): Buffer {
  const copy = Buffer.allocUnsafeSlow(piece.length);
  piece.copy(copy);
  return copy;
}
