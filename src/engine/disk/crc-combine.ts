/**
 * Joins CRCs of neighbouring pieces into the CRC of the whole, without their bytes: multiplication of polynomials over
 * GF(2) modulo the CRC's polynomial, in the reflected form in which these CRCs are defined.
 */
interface CrcKind {
  readonly bits: bigint;
  readonly polynomial: bigint;
}

const KINDS: Readonly<Record<'CRC32' | 'CRC32C' | 'CRC64NVME', CrcKind>> = {
  CRC32: { bits: 32n, polynomial: 0xedb88320n },
  CRC32C: { bits: 32n, polynomial: 0x82f63b78n },
  CRC64NVME: { bits: 64n, polynomial: 0x9a6c9329ac4bc9b5n },
};

export interface CrcPiece {
  /** Big-endian, as S3 sends it. */
  readonly crc: Uint8Array;
  /** Bytes that the CRC covers. */
  readonly size: number;
}

export function combineCrcs(algorithm: keyof typeof KINDS, pieces: readonly CrcPiece[]): Buffer {
  const kind = KINDS[algorithm];
  const shifts = new Map<number, bigint>();
  let total = 0n;
  for (const { crc, size } of pieces) {
    let shift = shifts.get(size);
    if (shift === undefined) {
      shift = powerOfX(kind, BigInt(size) * 8n);
      shifts.set(size, shift);
    }
    total = multiply(kind, shift, total) ^ BigInt(`0x${Buffer.from(crc).toString('hex')}`);
  }
  return Buffer.from(total.toString(16).padStart(Number(kind.bits / 4n), '0'), 'hex');
}

/** x^exponent modulo the polynomial. */
function powerOfX(kind: CrcKind, exponent: bigint): bigint {
  let square = 1n << (kind.bits - 2n);
  let result = 1n << (kind.bits - 1n);
  for (let left = exponent; left > 0n; left >>= 1n) {
    if (left & 1n) result = multiply(kind, square, result);
    square = multiply(kind, square, square);
  }
  return result;
}

function multiply(kind: CrcKind, a: bigint, b: bigint): bigint {
  let product = 0n;
  let factor = b;
  for (let bit = 1n << (kind.bits - 1n); bit > 0n; bit >>= 1n) {
    if (a & bit) product ^= factor;
    factor = factor & 1n ? (factor >> 1n) ^ kind.polynomial : factor >> 1n;
  }
  return product;
}
