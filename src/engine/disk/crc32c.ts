import { crc32c as native } from '@node-rs/crc32';

/** Reflected polynomial of CRC-32C (RFC 3720 appendix B.4). */
const POLYNOMIAL = 0x82f63b78;
/** Up to here a call into native code, and the view it needs, cost more than the sum itself. */
const SHORT_BYTES = 512;

/** Table `n` (256 entries from `n * 256`) carries a byte over `n` further zero bytes: eight bytes are taken at a time. */
const TABLES = makeTables();

function makeTables(): Int32Array {
  const tables = new Int32Array(8 * 256);
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ POLYNOMIAL : crc >>> 1;
    tables[byte] = crc;
  }
  for (let at = 256; at < tables.length; at++) {
    const shorter = tables[at - 256]!;
    tables[at] = (shorter >>> 8) ^ tables[shorter & 255]!;
  }
  return tables;
}

/** CRC-32C of `bytes[from..to)`, continued from `seed` (the CRC of what came before). Meant for rows and heads. */
export function crc32cOf(bytes: Uint8Array, from: number, to: number, seed = 0): number {
  if (to - from > SHORT_BYTES) return native(bytes.subarray(from, to), seed);
  let crc = ~seed;
  let at = from;
  for (const last = to - 8; at <= last; at += 8) {
    crc ^= bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
    crc =
      TABLES[1792 + (crc & 255)]! ^
      TABLES[1536 + ((crc >>> 8) & 255)]! ^
      TABLES[1280 + ((crc >>> 16) & 255)]! ^
      TABLES[1024 + (crc >>> 24)]! ^
      TABLES[768 + bytes[at + 4]!]! ^
      TABLES[512 + bytes[at + 5]!]! ^
      TABLES[256 + bytes[at + 6]!]! ^
      TABLES[bytes[at + 7]!]!;
  }
  for (; at < to; at++) crc = (crc >>> 8) ^ TABLES[(crc ^ bytes[at]!) & 255]!;
  return ~crc >>> 0;
}
