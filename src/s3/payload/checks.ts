import { hash } from 'node:crypto';
import type { StoredChecksum } from '../../core/index.ts';
import { S3Error } from '../errors.ts';
import type { Announced, AnnouncedChecksum } from './announced.ts';
import { CHECKSUM_BYTES, checksumOf, type Hasher, openHasher, strictBase64 } from './checksum.ts';
import { malformedTrailer } from './refusals.ts';

/** Reads a trailer's value after the body has ended. */
export type TrailerValue = (name: string) => string | undefined;

function sha256Mismatch(expected: string, computed: string): S3Error {
  return new S3Error(
    'XAmzContentSHA256Mismatch',
    'The provided x-amz-content-sha256 header does not match what was computed.',
    { ClientComputedContentSHA256: expected, S3ComputedContentSHA256: computed },
  );
}

/** The checksum that may be stored, after comparing it with what the client sent. */
function settle(checksum: AnnouncedChecksum, computed: Buffer, trailer: TrailerValue): StoredChecksum {
  const { algorithm, header } = checksum;
  const expected = checksum.value ?? strictBase64(trailer(header) ?? '', CHECKSUM_BYTES[algorithm]);
  if (expected === undefined) throw malformedTrailer(`the value of ${header} is not base64 of the right length.`);
  if (!expected.equals(computed))
    throw new S3Error('BadDigest', `The ${algorithm} you specified did not match the calculated checksum.`);
  return { algorithm, type: 'FULL_OBJECT', value: computed.toString('base64') };
}

/** Compares a body in one piece. Throws `XAmzContentSHA256Mismatch`, `BadDigest`, `MalformedTrailerError`. */
export async function checkWhole(
  bytes: Buffer,
  announced: Announced,
  trailer: TrailerValue,
): Promise<StoredChecksum | undefined> {
  const { sha256, checksum } = announced;
  const digest = sha256 === undefined ? undefined : hash('sha256', bytes, 'buffer');
  if (sha256 !== undefined && digest !== undefined && digest.toString('hex') !== sha256)
    throw sha256Mismatch(sha256, digest.toString('hex'));
  if (checksum === undefined) return undefined;
  const computed =
    checksum.algorithm === 'SHA256' && digest !== undefined ? digest : checksumOf(checksum.algorithm, bytes);
  return settle(checksum, computed instanceof Promise ? await computed : computed, trailer);
}

/** The same for a body in pieces: `update` with each, `finish` at the end. */
export class RunningChecks {
  readonly #announced: Announced;
  readonly #sha256: Hasher | undefined;
  readonly #checksum: Hasher | undefined;
  #stored: StoredChecksum | undefined;

  static async open(announced: Announced): Promise<RunningChecks> {
    const { sha256, checksum } = announced;
    const first = sha256 === undefined ? undefined : await openHasher('SHA256');
    const shared = first !== undefined && checksum?.algorithm === 'SHA256';
    const second = checksum === undefined || shared ? undefined : await openHasher(checksum.algorithm);
    return new RunningChecks(announced, first, second);
  }

  private constructor(announced: Announced, sha256: Hasher | undefined, checksum: Hasher | undefined) {
    this.#announced = announced;
    this.#sha256 = sha256;
    this.#checksum = checksum;
  }

  /** Present after `finish`. */
  get stored(): StoredChecksum | undefined {
    return this.#stored;
  }

  update(piece: Uint8Array): void {
    this.#sha256?.update(piece);
    this.#checksum?.update(piece);
  }

  finish(trailer: TrailerValue): void {
    const { sha256, checksum } = this.#announced;
    const digest = this.#sha256?.digest();
    if (sha256 !== undefined && digest?.toString('hex') !== sha256)
      throw sha256Mismatch(sha256, digest?.toString('hex') ?? '');
    if (checksum === undefined) return;
    const computed = this.#checksum?.digest() ?? digest;
    if (computed !== undefined) this.#stored = settle(checksum, computed, trailer);
  }
}
