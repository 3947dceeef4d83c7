import { S3Error } from '../errors.ts';
import type { ChunkChain } from '../sigv4/index.ts';
import { incompleteBody, malformedTrailer } from './refusals.ts';

const SIGNATURE = 'x-amz-trailer-signature';

/** The lines between the last chunk and the end of the body (threat S-16). */
export class TrailerReader {
  readonly #chain: ChunkChain | undefined;
  readonly #allowed: boolean;
  readonly #announced: readonly string[];
  readonly #values = new Map<string, string>();
  #signedText = '';
  #signed = false;
  /** The line before ended in a bare line feed: its CRLF comes now. */
  #owesCrLf = false;

  constructor(chain: ChunkChain | undefined, allowed: boolean, announced: readonly string[]) {
    this.#chain = chain;
    this.#allowed = allowed;
    this.#announced = announced;
  }

  value(name: string): string | undefined {
    return this.#values.get(name);
  }

  /** Takes one line with its line feed; true when it was the empty one that ends the body. */
  line(line: string): boolean {
    if (this.#owesCrLf) {
      if (line !== '\r\n') throw malformedTrailer('a line does not end in CRLF.');
      this.#owesCrLf = false;
      return false;
    }
    if (line === '\r\n') {
      this.#finish();
      return true;
    }
    if (!this.#allowed) throw incompleteBody('data follows the last chunk.');
    if (this.#signed) throw malformedTrailer('a line follows the signature of the trailer.');
    this.#field(this.#withoutEnd(line));
    return false;
  }

  /** MinIO's clients end a signed trailer in LF, because that is what they sign, and then write CRLF. */
  #withoutEnd(line: string): string {
    if (line.endsWith('\r\n')) return line.slice(0, -2);
    if (this.#chain === undefined) throw malformedTrailer('a line does not end in CRLF.');
    this.#owesCrLf = true;
    return line.slice(0, -1);
  }

  #field(text: string): void {
    const colon = text.indexOf(':');
    const name = text.slice(0, Math.max(colon, 0)).trim().toLowerCase();
    const value = text.slice(colon + 1).trim();
    if (name === SIGNATURE && this.#chain !== undefined) {
      this.#chain.trailer(this.#signedText, value);
      this.#signed = true;
      return;
    }
    if (!this.#announced.includes(name))
      throw malformedTrailer('it holds a line that x-amz-trailer does not announce.');
    if (this.#values.has(name)) throw malformedTrailer(`${name} occurs twice.`);
    this.#values.set(name, value);
    this.#signedText += `${name}:${value}\n`;
  }

  #finish(): void {
    for (const name of this.#announced) if (!this.#values.has(name)) throw malformedTrailer(`${name} is missing.`);
    if (this.#chain !== undefined && this.#values.size > 0 && !this.#signed)
      throw new S3Error('SignatureDoesNotMatch', 'The trailer of the body is not signed.');
  }
}
