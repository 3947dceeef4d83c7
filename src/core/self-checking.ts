import { crc32 } from 'node:zlib';
import type { Entropy } from './instant.ts';

export const UPPER_AND_DIGITS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ';
export const LETTERS_AND_DIGITS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

/** Shape of a self-checking text: `prefix`, then `randomLength` random characters, then `checkLength` characters of checksum. */
export interface SelfCheckingFormat {
  readonly prefix: string;
  readonly alphabet: string;
  readonly randomLength: number;
  readonly checkLength: number;
}

/** `length` characters of `alphabet` (at most 256), each equally likely. Bytes that would favour some are thrown away. */
export function randomText(entropy: Entropy, alphabet: string, length: number): string {
  const bound = 256 - (256 % alphabet.length);
  let text = '';
  while (text.length < length) {
    for (const byte of entropy.bytes(length - text.length + 8)) {
      if (byte < bound && text.length < length) text += alphabet[byte % alphabet.length];
    }
  }
  return text;
}

/** A fresh text of the format. See docs/reference/key-format.md. */
export function makeSelfChecking(format: SelfCheckingFormat, entropy: Entropy): string {
  const body = format.prefix + randomText(entropy, format.alphabet, format.randomLength);
  return body + checkCharacters(format, body);
}

/** Whether the text has the format's prefix, length and alphabet, and its checksum holds. Needs no database and no secret. */
export function isSelfChecking(format: SelfCheckingFormat, text: string): boolean {
  const bodyLength = format.prefix.length + format.randomLength;
  if (text.length !== bodyLength + format.checkLength || !text.startsWith(format.prefix)) return false;
  for (let index = format.prefix.length; index < text.length; index += 1) {
    if (!format.alphabet.includes(text.charAt(index))) return false;
  }
  const body = text.slice(0, bodyLength);
  return text.slice(bodyLength) === checkCharacters(format, body);
}

/** CRC-32 (the one of zip and gzip) of everything before, modulo alphabet^checkLength, most significant digit first. */
function checkCharacters(format: SelfCheckingFormat, body: string): string {
  const base = format.alphabet.length;
  let rest = crc32(body) % base ** format.checkLength;
  let text = '';
  for (let digit = 0; digit < format.checkLength; digit += 1) {
    text = format.alphabet.charAt(rest % base) + text;
    rest = Math.floor(rest / base);
  }
  return text;
}
