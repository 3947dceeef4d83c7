import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { S3Error } from '../errors.ts';
import { STREAMING_SIGNED, STREAMING_SIGNED_TRAILER, STREAMING_UNSIGNED_TRAILER } from '../sigv4/index.ts';
import type { Signed } from '../sigv4/signing.test-support.ts';
import { cutAt, type Sending, send, sha256, signedChunks, splitEvery } from './framing.test-support.ts';
import { openBody } from './open-body.ts';

import {
  checksumText,
  END,
  LARGE,
  type Pair,
  RULES,
  receive,
  refused,
  SMALL,
  signedSending,
  unsignedFrames,
} from './receiving.test-support.ts';

for (const data of [SMALL, LARGE]) {
  const name = data === SMALL ? 'small' : 'large';
  const chunkSize = data === SMALL ? 10 : 131_072;

  test(`S-14 signed chunks, ${name}: the right chain is accepted`, async () => {
    assert.ok((await receive(signedSending(data, chunkSize))).bytes.equals(data));
    assert.ok((await receive({ ...signedSending(data, chunkSize), length: 'chunked' })).bytes.equals(data));
    assert.ok(
      (await receive({ ...signedSending(data, chunkSize, (frames) => [Buffer.concat(frames)]) })).bytes.equals(data),
    );
  });

  test(`S-14 signed chunks, ${name}: wrong, swapped, foreign, missing and unsigned chunks are refused`, async () => {
    const cases: readonly [string, string, (frames: Buffer[], signed: Signed) => Buffer[]][] = [
      [
        'data changed',
        'SignatureDoesNotMatch',
        (f) =>
          f.map((frame, i) => (i === 1 ? Buffer.from(frame).fill('x', frame.length - 4, frame.length - 2) : frame)),
      ],
      [
        'signature changed',
        'SignatureDoesNotMatch',
        (f) =>
          f.map((frame, i) => (i === 1 ? Buffer.from(frame.toString('latin1').replace(/=./, '=g'), 'latin1') : frame)),
      ],
      ['swapped', 'SignatureDoesNotMatch', (f) => [f[1], f[0], ...f.slice(2)] as Buffer[]],
      ['last chunk missing', 'IncompleteBody', (f) => f.slice(0, -2)],
      ['end missing', 'IncompleteBody', (f) => f.slice(0, -1)],
      ['last chunk unsigned', 'SignatureDoesNotMatch', (f) => [...f.slice(0, -2), Buffer.from('0\r\n'), END]],
      [
        'last chunk signed with the signature before',
        'SignatureDoesNotMatch',
        (f) => [
          ...f.slice(0, -2),
          Buffer.from(`0;${f.at(-3)?.toString('latin1').split('\r\n')[0]?.split(';')[1]}\r\n`),
          END,
        ],
      ],
      [
        'chunk of another request',
        'SignatureDoesNotMatch',
        (f, signed) =>
          [
            f[0],
            signedChunks({ ...signed, signature: '0'.repeat(64) }, splitEvery(data, chunkSize)).frames[1],
            ...f.slice(2),
          ] as Buffer[],
      ],
      [
        'announces far more than follows',
        'IncompleteBody',
        (f) => [
          Buffer.from(`ffffff${(f[0] as Buffer).toString('latin1').replace(/^[0-9a-f]+/, '')}`, 'latin1'),
          ...f.slice(1),
        ],
      ],
    ];
    for (const [note, code, change] of cases)
      await refused(code, () => receive(signedSending(data, chunkSize, change)), note);
  });
}

test('S-14 no byte of a signed chunk comes out before its signature was checked', async () => {
  const sending = signedSending(LARGE, 100_000, (frames) =>
    frames.map((frame, i) => (i === 5 ? Buffer.from(frame).fill('x', frame.length - 3, frame.length - 2) : frame)),
  );
  const { request, claim, verified } = send(sending);
  const { source } = await openBody(request, claim, verified, RULES);
  assert.ok(source.kind === 'stream');
  const pieces: Uint8Array[] = [];
  await refused('SignatureDoesNotMatch', async () => {
    for await (const piece of source.chunks) pieces.push(piece);
  });
  assert.ok(Buffer.concat(pieces).equals(LARGE.subarray(0, 500_000)));
});

test('S-15 framing: every deviation is refused', async () => {
  const body = (text: string) => ({
    payloadHash: STREAMING_UNSIGNED_TRAILER,
    headers: [['X-Amz-Decoded-Content-Length', '5']] as const,
    pieces: [Buffer.from(text)],
  });
  assert.equal((await receive(body('5\r\nhello\r\n0\r\n\r\n'))).bytes.toString(), 'hello');
  assert.equal((await receive(body('0002\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n'))).bytes.toString(), 'hello');
  const cases: readonly (readonly [string, string])[] = [
    ['5\nhello\n0\n\n', 'IncompleteBody'],
    ['5\r\nhello\n0\r\n\r\n', 'IncompleteBody'],
    ['+5\r\nhello\r\n0\r\n\r\n', 'InvalidChunkSizeError'],
    ['-5\r\nhello\r\n0\r\n\r\n', 'InvalidChunkSizeError'],
    [' 5\r\nhello\r\n0\r\n\r\n', 'InvalidChunkSizeError'],
    ['5 \r\nhello\r\n0\r\n\r\n', 'InvalidChunkSizeError'],
    ['0x5\r\nhello\r\n0\r\n\r\n', 'InvalidChunkSizeError'],
    ['\r\nhello\r\n0\r\n\r\n', 'InvalidChunkSizeError'],
    ['ffffffffffffffff\r\nhello\r\n0\r\n\r\n', 'InvalidChunkSizeError'],
    ['10000000000000005\r\nhello\r\n0\r\n\r\n', 'InvalidChunkSizeError'],
    ['5;x=y\r\nhello\r\n0\r\n\r\n', 'IncompleteBody'],
    ['5\rhello\r\n0\r\n\r\n', 'InvalidChunkSizeError'],
    ['5\r\nhello0\r\n\r\n', 'IncompleteBody'],
    ['5\r\nhelloo\r\n0\r\n\r\n', 'IncompleteBody'],
    ['5\r\nhell\r\n0\r\n\r\n', 'IncompleteBody'],
    ['6\r\nhello!\r\n0\r\n\r\n', 'IncompleteBody'],
    ['4\r\nhell\r\n0\r\n\r\n', 'IncompleteBody'],
    ['5\r\nhello\r\n0\r\n', 'IncompleteBody'],
    ['5\r\nhello\r\n', 'IncompleteBody'],
    ['5\r\nhello\r\n0\r\n\r\nx', 'IncompleteBody'],
    ['5\r\nhello\r\n0\r\n\r\n5\r\nhello\r\n', 'IncompleteBody'],
    [`${'0'.repeat(300)}5\r\nhello\r\n0\r\n\r\n`, 'IncompleteBody'],
    ['hello', 'IncompleteBody'],
    ['', 'IncompleteBody'],
  ];
  for (const [text, code] of cases) await refused(code, () => receive(body(text)), JSON.stringify(text));
});

test('S-15 a signed chunk over the cap is InvalidChunkSizeError', async () => {
  const huge = { length: 17 * 1024 ** 2 };
  const sending: Sending = {
    payloadHash: STREAMING_SIGNED,
    headers: [['X-Amz-Decoded-Content-Length', String(huge.length)]],
    pieces: [Buffer.from(`${huge.length.toString(16)};chunk-signature=${'0'.repeat(64)}\r\n`)],
    length: huge.length + 100,
  };
  await refused('InvalidChunkSizeError', () => receive(sending));
});

test('S-14 S-15 any cutting of the byte stream gives the same result', async () => {
  const crc = await checksumText('CRC32C', SMALL);
  const trailer = `x-amz-checksum-crc32c:${crc}\r\n`;
  const announce: Pair = ['X-Amz-Trailer', 'x-amz-checksum-crc32c'];
  const cuts = fc.array(fc.nat(1500), { maxLength: 12 });
  const sizes = fc.integer({ min: 1, max: 50 });
  const property = fc.asyncProperty(cuts, sizes, fc.boolean(), fc.boolean(), async (positions, size, signed, large) => {
    // Announcing a large body takes the way of streams; the result is a refusal at the end, wherever it is cut.
    const headers: Pair[] = [['X-Amz-Decoded-Content-Length', String(large ? 2_000_000 : SMALL.length)]];
    const sending: Sending = signed
      ? {
          payloadHash: STREAMING_SIGNED,
          headers,
          pieces: (s) => cutAt(Buffer.concat([...signedChunks(s, splitEvery(SMALL, size)).frames, END]), positions),
        }
      : {
          payloadHash: STREAMING_UNSIGNED_TRAILER,
          headers: [...headers, announce],
          pieces: cutAt(unsignedFrames(SMALL, size, trailer), positions),
        };
    if (large) await refused('IncompleteBody', () => receive(sending));
    else assert.ok((await receive(sending)).bytes.equals(SMALL));
  });
  await fc.assert(property, { numRuns: 300 });
});

test('S-14 S-15 every single cut and every byte on its own', async () => {
  const pieces = (s: Signed) => Buffer.concat([...signedChunks(s, splitEvery(SMALL, 15)).frames, END]);
  const base = signedSending(SMALL, 15);
  const total = pieces({ signature: '', signingKey: Buffer.alloc(32), stamp: '', scope: '' } as Signed).length;
  for (let at = 0; at <= total; at += 1)
    assert.ok((await receive({ ...base, pieces: (s) => cutAt(pieces(s), [at]) })).bytes.equals(SMALL));
  assert.ok((await receive({ ...base, pieces: (s) => splitEvery(pieces(s), 1) })).bytes.equals(SMALL));
});

test('S-14 a signed chunk that comes byte by byte is held in few pieces and comes out whole', async () => {
  const data = LARGE.subarray(0, 1_100_000);
  const slow = data.subarray(0, 5000);
  const wire = (s: Signed) => {
    const all = Buffer.concat([...signedChunks(s, splitEvery(data, 600_000)).frames, END]);
    return [...splitEvery(all.subarray(0, slow.length), 1), all.subarray(slow.length)];
  };
  const { request, claim, verified } = send({ ...signedSending(data, 600_000), pieces: wire });
  const { source } = await openBody(request, claim, verified, RULES);
  assert.ok(source.kind === 'stream');
  const pieces = await Array.fromAsync(source.chunks);
  assert.ok(Buffer.concat(pieces).equals(data));
  assert.ok(pieces.length < 200, `${pieces.length} pieces`);
});

test('S-15 fuzzing the framing: the content or an S3 error, never anything else', async () => {
  const token = fc.oneof(
    fc.constantFrom('5', '0', '\r\n', '\n', 'hello', ';chunk-signature=', 'x-amz-checksum-crc32:', '\r'),
    fc.string({ maxLength: 3 }),
  );
  const property = fc.asyncProperty(fc.array(token, { maxLength: 12 }), fc.boolean(), async (tokens, signed) => {
    const sending: Sending = {
      payloadHash: signed ? STREAMING_SIGNED_TRAILER : STREAMING_UNSIGNED_TRAILER,
      headers: [['X-Amz-Decoded-Content-Length', '5']],
      pieces: [Buffer.from(tokens.join(''))],
    };
    try {
      assert.equal((await receive(sending)).bytes.length, 5);
    } catch (error) {
      assert.ok(error instanceof S3Error, String(error));
    }
  });
  await fc.assert(property, { numRuns: 500 });
});

test('payload: streamed pieces can be transferred one by one without harming those that follow', async () => {
  for (const chunkSize of [1000, 65_536, 200_000]) {
    const wire = (s: Signed) =>
      splitEvery(Buffer.concat([...signedChunks(s, splitEvery(LARGE, chunkSize)).frames, END]), 65_536);
    // Every wire piece has memory of its own, as pieces from a socket have.
    const { request, claim, verified } = send({ ...signedSending(LARGE, chunkSize), pieces: wire });
    const { source } = await openBody(request, claim, verified, RULES);
    assert.ok(source.kind === 'stream');
    const hash = createHash('sha256');
    for await (const piece of source.chunks) {
      hash.update(structuredClone(piece, { transfer: [piece.buffer as ArrayBuffer] }));
      assert.equal(piece.length, 0);
    }
    assert.equal(hash.digest('hex'), sha256(LARGE));
  }
});
