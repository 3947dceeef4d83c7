import { createHash } from 'node:crypto';
import { crc32, crc32c } from '@node-rs/crc32';
import { createCRC64 } from 'hash-wasm';
import { type ChecksumAlgorithm, Failure, type StoredChecksum } from '../../core/index.ts';
import { combineCrcs } from './crc-combine.ts';

/** Checksums that the engine itself has to make: of copied parts, and of completed uploads from those of their parts. */
export interface RunningChecksum {
  update(chunk: Uint8Array): void;
  /** Base64. */
  value(): string;
}

export async function runningChecksum(algorithm: ChecksumAlgorithm): Promise<RunningChecksum> {
  switch (algorithm) {
    case 'CRC32':
      return runningCrc(crc32);
    case 'CRC32C':
      return runningCrc(crc32c);
    case 'CRC64NVME': {
      const hash = await createCRC64('9a6c9329ac4bc9b5');
      hash.init();
      return {
        update: (chunk) => void hash.update(chunk),
        value: () => Buffer.from(hash.digest(), 'hex').toString('base64'),
      };
    }
    default: {
      const hash = createHash(algorithm.toLowerCase());
      return { update: (chunk) => void hash.update(chunk), value: () => hash.digest('base64') };
    }
  }
}

function runningCrc(crc: (input: Uint8Array, state?: number) => number): RunningChecksum {
  let state = 0;
  return {
    update: (chunk) => {
      state = crc(chunk, state);
    },
    value: () => {
      const bytes = Buffer.alloc(4);
      bytes.writeUInt32BE(state);
      return bytes.toString('base64');
    },
  };
}

export interface SummedPart {
  readonly size: number;
  readonly checksum: StoredChecksum | undefined;
}

/**
 * The checksum of a completed upload (AWS "Checking object integrity", multipart): `COMPOSITE` is the algorithm over the
 * parts' values, `FULL_OBJECT` joins the parts' CRCs. Fails `invalid` when a part lacks the checksum that was announced.
 */
export async function completedChecksum(
  announced: Pick<StoredChecksum, 'algorithm' | 'type'> | undefined,
  parts: readonly SummedPart[],
): Promise<StoredChecksum | undefined> {
  if (!announced) return undefined;
  const { algorithm, type } = announced;
  const values = parts.map((part) => {
    if (part.checksum?.algorithm !== algorithm) {
      throw new Failure('invalid', `Every part needs the ${algorithm} checksum that was announced for the upload.`);
    }
    return Buffer.from(part.checksum.value, 'base64');
  });
  if (type === 'COMPOSITE') {
    const sum = await runningChecksum(algorithm);
    for (const value of values) sum.update(value);
    return { algorithm, type, value: `${sum.value()}-${parts.length}` };
  }
  if (algorithm === 'SHA1' || algorithm === 'SHA256') {
    throw new Failure('invalid', `${algorithm} of a multipart object can only be COMPOSITE.`);
  }
  const pieces = values.map((crc, index) => ({ crc, size: parts[index]!.size }));
  return { algorithm, type, value: combineCrcs(algorithm, pieces).toString('base64') };
}
