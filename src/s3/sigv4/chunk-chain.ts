import { hash } from 'node:crypto';
import { S3Error } from '../errors.ts';
import type { VerifiedClaim } from './claim.ts';
import { isSignature } from './verify.ts';

const EMPTY_SHA256 = hash('sha256', '', 'hex');

/**
 * The chain of signatures through the chunks of one body (AWS "Signature calculations for the Authorization header:
 * transferring payload in multiple chunks"): each covers the one before, so chunks can be neither swapped nor taken from
 * another request (threat S-14).
 */
export class ChunkChain {
  readonly #verified: VerifiedClaim;
  #previous: string;

  constructor(verified: VerifiedClaim) {
    this.#verified = verified;
    this.#previous = verified.seedSignature;
  }

  /** `sha256` is the hexadecimal hash of the chunk's data. Throws `SignatureDoesNotMatch`. */
  chunk(sha256: string, signature: string): void {
    this.#next('AWS4-HMAC-SHA256-PAYLOAD', `${EMPTY_SHA256}\n${sha256}`, signature);
  }

  /** `lines` is `name:value\n` for every trailer in the order sent. Throws `SignatureDoesNotMatch`. */
  trailer(lines: string, signature: string): void {
    this.#next('AWS4-HMAC-SHA256-TRAILER', hash('sha256', Buffer.from(lines, 'latin1'), 'hex'), signature);
  }

  #next(algorithm: string, content: string, signature: string): void {
    const { amzDateText, scopeText, signingKey } = this.#verified;
    const text = `${algorithm}\n${amzDateText}\n${scopeText}\n${this.#previous}\n${content}`;
    if (!isSignature(signingKey, text, signature))
      throw new S3Error('SignatureDoesNotMatch', 'The signature of a chunk or trailer of the body does not match.');
    this.#previous = signature;
  }
}
