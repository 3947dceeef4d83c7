import {
  type Entropy,
  isSelfChecking,
  LETTERS_AND_DIGITS,
  makeSelfChecking,
  type SelfCheckingFormat,
  UPPER_AND_DIGITS,
} from '../core/index.ts';

/** `CW`, 11 random characters (57 bits), 3 of checksum: contract control-plane 6. Not secret, only unique. */
const ACCESS_KEY_ID: SelfCheckingFormat = {
  prefix: 'CW',
  alphabet: UPPER_AND_DIGITS,
  randomLength: 11,
  checkLength: 3,
};

/** `cwo`, 34 random characters (202 bits), 6 of checksum. */
const SECRET_KEY: SelfCheckingFormat = {
  prefix: 'cwo',
  alphabet: LETTERS_AND_DIGITS,
  randomLength: 34,
  checkLength: 6,
};

const ACCESS_KEY_ID_SHAPE = /^CW[0-9A-Z]{14}$/;

/**
 * Both halves of a key end in a checksum of all that stands before it: CRC-32 of the ASCII text, modulo (alphabet size ^
 * number of check characters), written in that base with the alphabet `0-9A-Z` (ID) or `0-9A-Za-z` (secret), most
 * significant digit first. A scanner that finds such a text can tell a real one from a chance match without asking
 * anybody: docs/reference/key-format.md.
 */
export function makeAccessKeyId(entropy: Entropy): string {
  return makeSelfChecking(ACCESS_KEY_ID, entropy);
}

/** The other half; same checksum rule as `makeAccessKeyId`. */
export function makeSecretKey(entropy: Entropy): string {
  return makeSelfChecking(SECRET_KEY, entropy);
}

export function isAccessKeyId(text: string): boolean {
  return isSelfChecking(ACCESS_KEY_ID, text);
}

export function isSecretKey(text: string): boolean {
  return isSelfChecking(SECRET_KEY, text);
}

/** Shape alone: what may be looked up. The checksum is for people and scanners and is easy to forge, so it guards nothing. */
export function looksLikeAccessKeyId(text: string): boolean {
  return ACCESS_KEY_ID_SHAPE.test(text);
}
