import assert from 'node:assert/strict';
import type { ChecksumAlgorithm, StoredChecksum } from '../../core/index.ts';
import type { BodySource } from '../../engine/index.ts';
import { S3Error } from '../errors.ts';
import { STREAMING_SIGNED, STREAMING_UNSIGNED_TRAILER } from '../sigv4/index.ts';
import type { Signed } from '../sigv4/signing.test-support.ts';
import { checksumOf } from './checksum.ts';
import { type Opened, type Sending, send, signedChunks, splitEvery } from './framing.test-support.ts';
import { openBody } from './open-body.ts';

export const RULES = { streamingAllowed: true, required: true, sizeMax: 5 * 1024 ** 3 };
export const END = Buffer.from('\r\n');
export const SMALL = Buffer.from('The quick brown fox jumps over the lazy dog.');
export const LARGE = Buffer.from(Array.from({ length: 1_500_000 }, (_, i) => (i * 7 + (i >> 8)) & 0xff));
export const ALGORITHMS: readonly ChecksumAlgorithm[] = ['CRC32', 'CRC32C', 'CRC64NVME', 'SHA1', 'SHA256'];

export type Pair = readonly [string, string];

export async function drain(source: BodySource): Promise<{ bytes: Buffer; checksum: StoredChecksum | undefined }> {
  if (source.kind === 'whole') return { bytes: Buffer.from(source.bytes), checksum: source.checksum };
  const pieces: Uint8Array[] = [];
  for await (const piece of source.chunks) pieces.push(piece);
  return { bytes: Buffer.concat(pieces), checksum: source.checksum() };
}

export async function receive(sending: Sending | Opened, rules = RULES) {
  const { request, claim, verified } = 'request' in sending ? sending : send(sending);
  const opened = await openBody(request, claim, verified, rules);
  return { ...(await drain(opened.source)), opened };
}

export async function refused(code: string, action: () => Promise<unknown>, note?: string): Promise<void> {
  await assert.rejects(
    action,
    (error: unknown) => {
      assert.ok(error instanceof S3Error, `${note ?? ''} ${String(error)}`);
      assert.equal(error.code, code, `${note ?? ''} ${error.message}`);
      return true;
    },
    note,
  );
}

export const decoded = (data: Buffer): Pair => ['X-Amz-Decoded-Content-Length', String(data.length)];

export function signedSending(
  data: Buffer,
  chunkSize: number,
  change: (frames: Buffer[], signed: Signed) => Buffer[] = (f) => f,
): Sending {
  return {
    payloadHash: STREAMING_SIGNED,
    headers: [decoded(data)],
    pieces: (signed) => change([...signedChunks(signed, splitEvery(data, chunkSize)).frames, END], signed),
  };
}

export async function checksumText(algorithm: ChecksumAlgorithm, data: Buffer): Promise<string> {
  return (await checksumOf(algorithm, data)).toString('base64');
}

export function unsignedFrames(data: Buffer, chunkSize: number, trailer: string): Buffer {
  const chunks = splitEvery(data, chunkSize).map((chunk) =>
    Buffer.concat([Buffer.from(`${chunk.length.toString(16)}\r\n`), chunk, END]),
  );
  return Buffer.concat([...chunks, Buffer.from(`0\r\n${trailer}\r\n`)]);
}

export function unsignedSending(
  data: Buffer,
  trailer: string,
  headers: readonly Pair[] = [],
  chunkSize = 10_000,
): Sending {
  return {
    payloadHash: STREAMING_UNSIGNED_TRAILER,
    headers: [decoded(data), ...headers],
    pieces: [unsignedFrames(data, chunkSize, trailer)],
  };
}
