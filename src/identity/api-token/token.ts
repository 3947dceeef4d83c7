import {
  type Entropy,
  type Hasher,
  isSelfChecking,
  LETTERS_AND_DIGITS,
  makeSelfChecking,
  type SelfCheckingFormat,
} from '../../core/index.ts';

/** `CW-SECRET-`, 43 random characters (256 bits), 6 of checksum: contract control-plane 4, docs/reference/key-format.md. */
const API_TOKEN: SelfCheckingFormat = {
  prefix: 'CW-SECRET-',
  alphabet: LETTERS_AND_DIGITS,
  randomLength: 43,
  checkLength: 6,
};

const HASH_LABEL = 'api-token';

/** Ends in the same checksum as access keys do: CRC-32 of all before it, in base 62. */
export function makeApiToken(entropy: Entropy): string {
  return makeSelfChecking(API_TOKEN, entropy);
}

export function isApiToken(text: string): boolean {
  return isSelfChecking(API_TOKEN, text);
}

/**
 * What is stored and looked up. A fast keyed hash is right here: the token has 256 random bits, so there is nothing to
 * guess, and a slow one would make every request pay.
 */
export function hashApiToken(hasher: Hasher, token: string): Uint8Array {
  return hasher.keyedHash(HASH_LABEL, token);
}
