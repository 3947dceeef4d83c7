import { createHash, hash } from 'node:crypto';
import { crc32, crc32c } from '@node-rs/crc32';
import { createCRC64, type IHasher } from 'hash-wasm';
import type { Awaitable, ChecksumAlgorithm } from '../../core/index.ts';

/** Length of the raw value, in bytes. */
export const CHECKSUM_BYTES: Readonly<Record<ChecksumAlgorithm, number>> = {
  CRC32: 4,
  CRC32C: 4,
  CRC64NVME: 8,
  SHA1: 20,
  SHA256: 32,
};

/** Incremental and synchronous. `digest` ends it; CRCs come in big-endian order, as S3 encodes them. */
export interface Hasher {
  update(bytes: Uint8Array): void;
  digest(): Buffer;
}

/** CRC-64/NVME in the reflected form, as the library wants it. */
const CRC64NVME_POLYNOMIAL = '9a6c9329ac4bc9b5';
/** An instance holds WebAssembly memory and takes a compilation step: finished ones are used again. */
const CRC64_IDLE_MAX = 32;
const idleCrc64: IHasher[] = [];

class CryptoHasher implements Hasher {
  readonly #hash;
  constructor(algorithm: 'sha1' | 'sha256') {
    this.#hash = createHash(algorithm);
  }
  update(bytes: Uint8Array): void {
    this.#hash.update(bytes);
  }
  digest(): Buffer {
    return this.#hash.digest();
  }
}

class Crc32Hasher implements Hasher {
  readonly #step: typeof crc32;
  #state = 0;
  constructor(step: typeof crc32) {
    this.#step = step;
  }
  update(bytes: Uint8Array): void {
    this.#state = this.#step(bytes, this.#state);
  }
  digest(): Buffer {
    return bigEndian(this.#state);
  }
}

class Crc64Hasher implements Hasher {
  readonly #inner: IHasher;
  constructor(inner: IHasher) {
    this.#inner = inner.init();
  }
  update(bytes: Uint8Array): void {
    this.#inner.update(bytes);
  }
  digest(): Buffer {
    const value = Buffer.from(this.#inner.digest('binary'));
    if (idleCrc64.length < CRC64_IDLE_MAX) idleCrc64.push(this.#inner);
    return value;
  }
}

function bigEndian(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value >>> 0);
  return bytes;
}

/** Here at once, except for a CRC64NVME of which no instance is idle. */
export function openHasher(algorithm: ChecksumAlgorithm): Awaitable<Hasher> {
  switch (algorithm) {
    case 'CRC32':
      return new Crc32Hasher(crc32);
    case 'CRC32C':
      return new Crc32Hasher(crc32c);
    case 'SHA1':
      return new CryptoHasher('sha1');
    case 'SHA256':
      return new CryptoHasher('sha256');
    case 'CRC64NVME': {
      const idle = idleCrc64.pop();
      return idle === undefined
        ? createCRC64(CRC64NVME_POLYNOMIAL).then((inner) => new Crc64Hasher(inner))
        : new Crc64Hasher(idle);
    }
  }
}

/** Raw checksum of one piece of memory. */
export function checksumOf(algorithm: ChecksumAlgorithm, bytes: Uint8Array): Awaitable<Buffer> {
  switch (algorithm) {
    case 'CRC32':
      return bigEndian(crc32(bytes));
    case 'CRC32C':
      return bigEndian(crc32c(bytes));
    case 'SHA1':
      return hash('sha1', bytes, 'buffer');
    case 'SHA256':
      return hash('sha256', bytes, 'buffer');
    case 'CRC64NVME': {
      const hasher = openHasher(algorithm);
      return hasher instanceof Promise ? hasher.then((ready) => digestOf(ready, bytes)) : digestOf(hasher, bytes);
    }
  }
}

function digestOf(hasher: Hasher, bytes: Uint8Array): Buffer {
  hasher.update(bytes);
  return hasher.digest();
}

/** Bytes of a base64 text in its one canonical spelling; `undefined` for anything else. */
export function strictBase64(text: string, length: number): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64');
  return bytes.length === length && bytes.toString('base64') === text ? bytes : undefined;
}
