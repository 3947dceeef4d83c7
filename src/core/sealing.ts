import { createCipheriv, createDecipheriv, createHmac, createSecretKey, hkdfSync, type KeyObject } from 'node:crypto';
import { Failure } from './failure.ts';
import type { Entropy } from './instant.ts';

/** Hashes that only the holder of the master key can compute, so that a stolen database proves nothing (threat K-07). */
export interface Hasher {
  /** HMAC-SHA-256 (32 bytes) of `text` under a key of its own for each `label`. Labels are constants, not input. */
  keyedHash(label: string, text: string): Uint8Array;
}

/** Encryption at rest under the master key. */
export interface Sealer extends Hasher {
  /**
   * `context` says what the bytes are and whose (`['access-key', orgId, id]`); it is authenticated but not stored, so a
   * sealed value moved to another record does not open.
   */
  seal(plain: Uint8Array, context: readonly string[]): Uint8Array;
  /** Fails `data-damaged` when the value, its context or the master key is not what it was sealed with. */
  open(sealed: Uint8Array, context: readonly string[]): Uint8Array;
}

const VERSION = 1;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const MASTER_KEY_BYTES = 32;
const LABELS_MAX = 32;

/**
 * Version 1 of the sealed form: `01 | nonce (12) | ciphertext | tag (16)`, AES-256-GCM. The key of each value is
 * HMAC-SHA-256 of its context under a key derived from the master key, so that random nonces can never collide across
 * records however many are made (NIST SP 800-38D section 8.3 allows 2^32 under one key).
 */
export function createSealer(masterKey: KeyObject, entropy: Entropy): Sealer {
  if (masterKey.type !== 'secret' || masterKey.symmetricKeySize !== MASTER_KEY_BYTES) {
    throw new Failure('invalid', `the master key must be a secret of exactly ${MASTER_KEY_BYTES} bytes`);
  }
  const sealingKey = derive(masterKey, 'seal');
  const hashKeys = new Map<string, KeyObject>();

  return {
    keyedHash(label, text) {
      let key = hashKeys.get(label);
      if (key === undefined) {
        if (hashKeys.size >= LABELS_MAX) throw new Error('labels of keyed hashes must be constants');
        key = derive(masterKey, `hash/${label}`);
        hashKeys.set(label, key);
      }
      return createHmac('sha256', key).update(text, 'utf8').digest();
    },
    seal(plain, context) {
      const nonce = entropy.bytes(NONCE_BYTES);
      const bound = encodeContext(context);
      const cipher = createCipheriv('aes-256-gcm', recordKey(sealingKey, bound), nonce).setAAD(bound);
      return Buffer.concat([Uint8Array.of(VERSION), nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
    },
    open(sealed, context) {
      if (sealed[0] !== VERSION || sealed.length < 1 + NONCE_BYTES + TAG_BYTES) throw unopened();
      const bound = encodeContext(context);
      const nonce = sealed.subarray(1, 1 + NONCE_BYTES);
      const body = sealed.subarray(1 + NONCE_BYTES, sealed.length - TAG_BYTES);
      const options = { authTagLength: TAG_BYTES };
      const decipher = createDecipheriv('aes-256-gcm', recordKey(sealingKey, bound), nonce, options).setAAD(bound);
      decipher.setAuthTag(sealed.subarray(sealed.length - TAG_BYTES));
      const plain = decipher.update(body);
      try {
        return Buffer.concat([plain, decipher.final()]);
      } catch (cause) {
        throw unopened(cause);
      }
    },
  };
}

/** One key per purpose (RFC 5869), so that a weakness of one use never reaches another. */
function derive(masterKey: KeyObject, purpose: string): KeyObject {
  return createSecretKey(Buffer.from(hkdfSync('sha256', masterKey, '', `sallyport/v1/${purpose}`, 32)));
}

function recordKey(sealingKey: KeyObject, bound: Uint8Array): Uint8Array {
  return createHmac('sha256', sealingKey).update(bound).digest();
}

/** JSON keeps the borders between the parts: `['a', 'bc']` and `['ab', 'c']` differ. */
function encodeContext(context: readonly string[]): Uint8Array {
  return Buffer.from(JSON.stringify(context), 'utf8');
}

function unopened(cause?: unknown): Failure {
  const message =
    'a sealed value does not open: it was changed, moved to another record, or sealed under another master key';
  return new Failure('data-damaged', message, { cause });
}
