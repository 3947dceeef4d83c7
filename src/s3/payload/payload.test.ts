import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import fc from 'fast-check';
import type { ChecksumAlgorithm, StoredChecksum } from '../../core/index.ts';
import type { BodySource } from '../../engine/index.ts';
import { S3Error } from '../errors.ts';
import { STREAMING_SIGNED, STREAMING_SIGNED_TRAILER, STREAMING_UNSIGNED_TRAILER } from '../sigv4/index.ts';
import type { Signed } from '../sigv4/signing.test-support.ts';
import { checksumOf } from './checksum.ts';
import { readDocument } from './document.ts';
import { storedContentEncoding } from './encoding.ts';
import {
  cutAt,
  type Opened,
  type Sending,
  send,
  sha256,
  signedChunks,
  signedTrailer,
  splitEvery,
} from './framing.test-support.ts';
import { openBody } from './open-body.ts';

const RULES = { streamingAllowed: true, required: true, sizeMax: 5 * 1024 ** 3 };
const END = Buffer.from('\r\n');
const SMALL = Buffer.from('The quick brown fox jumps over the lazy dog.');
const LARGE = Buffer.from(Array.from({ length: 1_500_000 }, (_, i) => (i * 7 + (i >> 8)) & 0xff));
const ALGORITHMS: readonly ChecksumAlgorithm[] = ['CRC32', 'CRC32C', 'CRC64NVME', 'SHA1', 'SHA256'];

type Pair = readonly [string, string];

async function drain(source: BodySource): Promise<{ bytes: Buffer; checksum: StoredChecksum | undefined }> {
  if (source.kind === 'whole') return { bytes: Buffer.from(source.bytes), checksum: source.checksum };
  const pieces: Uint8Array[] = [];
  for await (const piece of source.chunks) pieces.push(piece);
  return { bytes: Buffer.concat(pieces), checksum: source.checksum() };
}

async function receive(sending: Sending | Opened, rules = RULES) {
  const { request, claim, verified } = 'request' in sending ? sending : send(sending);
  const opened = await openBody(request, claim, verified, rules);
  return { ...(await drain(opened.source)), opened };
}

async function refused(code: string, action: () => Promise<unknown>, note?: string): Promise<void> {
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

const decoded = (data: Buffer): Pair => ['X-Amz-Decoded-Content-Length', String(data.length)];

function signedSending(
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

async function checksumText(algorithm: ChecksumAlgorithm, data: Buffer): Promise<string> {
  return (await checksumOf(algorithm, data)).toString('base64');
}

function unsignedFrames(data: Buffer, chunkSize: number, trailer: string): Buffer {
  const chunks = splitEvery(data, chunkSize).map((chunk) =>
    Buffer.concat([Buffer.from(`${chunk.length.toString(16)}\r\n`), chunk, END]),
  );
  return Buffer.concat([...chunks, Buffer.from(`0\r\n${trailer}\r\n`)]);
}

function unsignedSending(data: Buffer, trailer: string, headers: readonly Pair[] = [], chunkSize = 10_000): Sending {
  return {
    payloadHash: STREAMING_UNSIGNED_TRAILER,
    headers: [decoded(data), ...headers],
    pieces: [unsignedFrames(data, chunkSize, trailer)],
  };
}

test('payload: plain bodies come whole when small and as a stream when large', async () => {
  for (const [data, kind] of [
    [SMALL, 'whole'],
    [Buffer.alloc(0), 'whole'],
    [LARGE, 'stream'],
  ] as const) {
    for (const payloadHash of [sha256(data), 'UNSIGNED-PAYLOAD']) {
      const result = await receive({ payloadHash, pieces: splitEvery(data, 65_536) });
      assert.equal(result.opened.source.kind, kind);
      assert.equal(result.opened.size, data.length);
      assert.ok(result.bytes.equals(data));
      assert.equal(result.checksum, undefined);
    }
  }
});

test('payload: presigned and anonymous bodies, with and without a hash', async () => {
  for (const form of ['query', 'anonymous'] as const) {
    assert.ok((await receive({ form, pieces: [SMALL] })).bytes.equals(SMALL));
    assert.ok((await receive({ form, payloadHash: sha256(SMALL), pieces: [SMALL] })).bytes.equals(SMALL));
    await refused('XAmzContentSHA256Mismatch', () => receive({ form, payloadHash: sha256('x'), pieces: [SMALL] }));
    await refused('InvalidArgument', () => receive({ form, payloadHash: 'no-hash', pieces: [SMALL] }));
  }
  const trailer = `x-amz-checksum-crc32:${await checksumText('CRC32', SMALL)}\r\n`;
  const unsigned = unsignedSending(SMALL, trailer, [['X-Amz-Trailer', 'x-amz-checksum-crc32']]);
  assert.ok((await receive({ ...unsigned, form: 'anonymous' })).bytes.equals(SMALL));
  await refused('AccessDenied', () => receive({ ...signedSending(SMALL, 10), form: 'anonymous' }));
});

test('S-11 a body that does not hash to the signed value is XAmzContentSHA256Mismatch', async () => {
  for (const data of [SMALL, LARGE]) {
    const changed = Buffer.from(data);
    changed[data.length - 1] = (changed[data.length - 1] as number) ^ 1;
    await refused('XAmzContentSHA256Mismatch', () =>
      receive({ payloadHash: sha256(data), pieces: splitEvery(changed, 65_536) }),
    );
  }
});

test('S-12 a body is never opened for a claim that was not verified', async () => {
  const { request, claim } = send(unsignedSending(SMALL, ''));
  await assert.rejects(() => openBody(request, claim, undefined, RULES), /before its signature was verified/);
});

test('S-13 streaming keywords on other operations are InvalidRequest', async () => {
  for (const sending of [signedSending(SMALL, 10), unsignedSending(SMALL, '')]) {
    await refused('InvalidRequest', () => receive(sending, { ...RULES, streamingAllowed: false }));
    const { request, claim, verified } = send(sending);
    await refused('InvalidRequest', () => readDocument(request, claim, verified, 1000));
  }
});

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

test('S-15 lengths: missing, wrong, not a number', async () => {
  await refused('MissingContentLength', () => receive({ pieces: [SMALL], length: 'none' }));
  await refused('MissingContentLength', () => receive({ pieces: [SMALL], length: 'chunked' }));
  for (const value of ['', 'x', '-1', '1.5', '1e3', '99999999999999999999'])
    await refused('MissingContentLength', () =>
      receive({ ...signedSending(SMALL, 10), headers: [['X-Amz-Decoded-Content-Length', value]] }),
    );
  await refused('MissingContentLength', () => receive({ ...signedSending(SMALL, 10), headers: [] }));
  for (const wrong of [SMALL.length - 1, SMALL.length + 1, 0, 5_000_000])
    await refused('IncompleteBody', () =>
      receive({ ...signedSending(SMALL, 10), headers: [['X-Amz-Decoded-Content-Length', String(wrong)]] }),
    );
  const optional = { ...RULES, required: false };
  assert.equal((await receive({ pieces: [], length: 'none' }, optional)).bytes.length, 0);
  assert.ok((await receive({ pieces: splitEvery(LARGE, 65_536), length: 'chunked' }, optional)).bytes.equals(LARGE));
});

test('S-15 over the size limit is EntityTooLarge, announced or not', async () => {
  const rules = { ...RULES, required: false, sizeMax: SMALL.length };
  assert.ok((await receive({ pieces: [SMALL] }, rules)).bytes.equals(SMALL));
  const larger = Buffer.concat([SMALL, Buffer.from('!')]);
  await refused('EntityTooLarge', () => receive({ pieces: [larger] }, rules));
  await refused('EntityTooLarge', () => receive({ pieces: [larger], length: 'chunked' }, rules));
  await refused('EntityTooLarge', () => receive(unsignedSending(larger, ''), rules));
});

for (const algorithm of ALGORITHMS) {
  const name = `x-amz-checksum-${algorithm.toLowerCase()}`;
  test(`S-16 ${algorithm}: in a header, in a trailer, in a signed trailer; right and wrong`, async () => {
    for (const data of [SMALL, LARGE, Buffer.alloc(0)]) {
      const good = await checksumText(algorithm, data);
      const bad = await checksumText(algorithm, Buffer.from('other'));
      const announce: Pair = ['X-Amz-Trailer', name];
      const signedWith = (value: string): Sending => ({
        payloadHash: STREAMING_SIGNED_TRAILER,
        headers: [decoded(data), announce],
        pieces: (signed) => {
          const { frames, last } = signedChunks(signed, splitEvery(data, 65_536));
          const signature = signedTrailer(signed, last, `${name}:${value}\n`);
          return [...frames, Buffer.from(`${name}:${value}\r\nx-amz-trailer-signature:${signature}\r\n\r\n`)];
        },
      });
      const sendings = (value: string): Sending[] => [
        {
          headers: [
            [name, value],
            ['X-Amz-Sdk-Checksum-Algorithm', algorithm],
          ],
          pieces: [data],
        },
        { headers: [[name, value]], payloadHash: sha256(data), pieces: [data] },
        unsignedSending(data, `${name}:${value}\r\n`, [announce]),
        signedWith(value),
      ];
      for (const sending of sendings(good)) {
        const result = await receive(sending);
        assert.ok(result.bytes.equals(data));
        assert.deepEqual(result.checksum, { algorithm, type: 'FULL_OBJECT', value: good });
      }
      for (const sending of sendings(bad)) await refused('BadDigest', () => receive(sending));
    }
  });
}

test('S-16 trailers: unannounced, absent, foreign, repeated, unparsable', async () => {
  const crc = await checksumText('CRC32', SMALL);
  const line = `x-amz-checksum-crc32:${crc}\r\n`;
  const announce = [['X-Amz-Trailer', 'x-amz-checksum-crc32']] as const;
  assert.equal((await receive(unsignedSending(SMALL, ''))).checksum, undefined);
  const malformed: readonly (readonly [string, readonly Pair[]])[] = [
    [line, []],
    ['', announce],
    ['x-amz-checksum-crc32c:AAAAAA==\r\n', announce],
    [`${line}x-amz-meta-a:b\r\n`, announce],
    [`${line}${line}`, announce],
    ['x-amz-checksum-crc32:\r\n', announce],
    ['x-amz-checksum-crc32:!!!!\r\n', announce],
    [`x-amz-checksum-crc32:${crc}A\r\n`, announce],
    [`x-amz-checksum-crc32:${crc.slice(0, -1)}\r\n`, announce],
    ['x-amz-checksum-crc32\r\n', announce],
    [`${line.replace('\r\n', '\n')}`, announce],
  ];
  for (const [trailer, headers] of malformed)
    await refused('MalformedTrailerError', () => receive(unsignedSending(SMALL, trailer, headers)), trailer);
  for (const name of ['x-amz-meta-a', 'x-amz-checksum-md4', 'x-amz-checksum-crc32,x-amz-checksum-sha1', ''])
    await refused('InvalidRequest', () => receive(unsignedSending(SMALL, line, [['X-Amz-Trailer', name]])), name);
  await refused('InvalidRequest', () => receive({ headers: announce, pieces: [SMALL] }));
});

test('S-16 a signed trailer: wrong, missing or foreign signature; lines after it', async () => {
  const line = `x-amz-checksum-crc32:${await checksumText('CRC32', SMALL)}`;
  const sending = (end: (signature: string) => string): Sending => ({
    payloadHash: STREAMING_SIGNED_TRAILER,
    headers: [decoded(SMALL), ['X-Amz-Trailer', 'x-amz-checksum-crc32']],
    pieces: (signed) => {
      const { frames, last } = signedChunks(signed, splitEvery(SMALL, 16));
      return [...frames, Buffer.from(end(signedTrailer(signed, last, `${line}\n`)))];
    },
  });
  const accepted = [
    (s: string) => `${line}\r\nx-amz-trailer-signature:${s}\r\n\r\n`,
    // As MinIO's clients write it.
    (s: string) => `${line}\n\r\nx-amz-trailer-signature:${s}\r\n\r\n`,
  ];
  for (const end of accepted) assert.ok((await receive(sending(end))).bytes.equals(SMALL));
  await refused('SignatureDoesNotMatch', () =>
    receive(sending((s) => `${line}\r\nx-amz-trailer-signature:${s.replace(/^./, 'g')}\r\n\r\n`)),
  );
  await refused('SignatureDoesNotMatch', () => receive(sending(() => `${line}\r\n\r\n`)));
  await refused('SignatureDoesNotMatch', () =>
    receive(sending((s) => `x-amz-checksum-crc32:AAAAAA==\r\nx-amz-trailer-signature:${s}\r\n\r\n`)),
  );
  await refused('MalformedTrailerError', () =>
    receive(sending((s) => `${line}\r\nx-amz-trailer-signature:${s}\r\n${line}\r\n\r\n`)),
  );
  await refused('MalformedTrailerError', () =>
    receive(sending((s) => `${line}\nx-amz-trailer-signature:${s}\r\n\r\n`)),
  );
});

test('S-16 checksum headers: two of them, unknown ones, values of no meaning, a lost one', async () => {
  const crc32: Pair = ['x-amz-checksum-crc32', await checksumText('CRC32', SMALL)];
  const sha1: Pair = ['x-amz-checksum-sha1', await checksumText('SHA1', SMALL)];
  const cases: readonly (readonly Pair[])[] = [
    [crc32, sha1],
    [['x-amz-checksum-sha512', 'AAAA']],
    [['x-amz-checksum-crc32', 'AAAA']],
    [['x-amz-checksum-crc32', `${crc32[1]}=`]],
    [['x-amz-sdk-checksum-algorithm', 'CRC32']],
    [crc32, ['x-amz-sdk-checksum-algorithm', 'SHA1']],
    [crc32, ['x-amz-sdk-checksum-algorithm', '__proto__']],
  ];
  for (const headers of cases) await refused('InvalidRequest', () => receive({ headers, pieces: [SMALL] }));
  const trailing = unsignedSending(SMALL, `x-amz-checksum-sha1:${sha1[1]}\r\n`, [
    crc32,
    ['X-Amz-Trailer', 'x-amz-checksum-sha1'],
  ]);
  await refused('InvalidRequest', () => receive(trailing));
  assert.equal(
    (await receive({ headers: [crc32, ['x-amz-checksum-type', 'FULL_OBJECT']], pieces: [SMALL] })).checksum?.value,
    crc32[1],
  );
});

test('payload: Content-MD5 is handed to the engine; what is no MD5 is InvalidDigest', async () => {
  const md5 = createHash('md5').update(SMALL).digest();
  const { opened } = await receive({ headers: [['Content-MD5', md5.toString('base64')]], pieces: [SMALL] });
  assert.deepEqual(opened.expectedMd5, md5);
  for (const bad of ['', 'x', md5.toString('hex'), md5.toString('base64').slice(0, -1), 'AAAA'])
    await refused('InvalidDigest', () => receive({ headers: [['Content-MD5', bad]], pieces: [SMALL] }), bad);
});

test('D-09 a client that goes half way is IncompleteBody, whole or stream', async () => {
  for (const total of [1000, 3_000_000]) {
    const gone = new Readable({ read() {} });
    gone.push(Buffer.alloc(500));
    setImmediate(() => gone.destroy(Object.assign(new Error('aborted'), { code: 'ECONNRESET' })));
    await refused('IncompleteBody', () => receive({ pieces: [], length: total, body: gone }), `aborted ${total}`);
    const closed = new Readable({ read() {} });
    setImmediate(() => closed.destroy());
    await refused('IncompleteBody', () => receive({ pieces: [], length: total, body: closed }), `closed ${total}`);
    await refused(
      'IncompleteBody',
      () => receive({ pieces: [Buffer.alloc(total - 1)], length: total }),
      `short ${total}`,
    );
    await refused(
      'IncompleteBody',
      () => receive({ pieces: [Buffer.alloc(total + 1)], length: total }),
      `long ${total}`,
    );
  }
  const gone = Readable.from([]).destroy();
  await refused('IncompleteBody', () => receive({ pieces: [], length: 10, body: gone }));
});

test('D-09 a refusal leaves the stream alone, so that the connection can still answer', async () => {
  const opened = send({ payloadHash: sha256('other'), pieces: [SMALL] });
  await refused('XAmzContentSHA256Mismatch', () => receive(opened));
  const stream = new Readable({ read() {} });
  stream.push(Buffer.from('no chunk\r\n'));
  const framed = send({
    payloadHash: STREAMING_UNSIGNED_TRAILER,
    headers: [decoded(LARGE)],
    pieces: [],
    length: 'chunked',
    body: stream,
  });
  await refused('InvalidChunkSizeError', () => receive(framed));
  assert.equal(stream.destroyed, false);
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

test('P-07 documents: cap, hash, Content-MD5 and checksum are checked', async () => {
  const document = Buffer.from('<Delete/>');
  const reading = async (sending: Sending, max = 9, options = {}) => {
    const { request, claim, verified } = send(sending);
    return (await readDocument(request, claim, verified, max, options)).toString();
  };
  assert.equal(await reading({ payloadHash: sha256(document), pieces: [document] }), '<Delete/>');
  assert.equal(await reading({ pieces: splitEvery(document, 2), length: 'chunked' }), '<Delete/>');
  assert.equal(await reading({ pieces: [], length: 'none' }), '');
  await refused('MalformedXML', () => reading({ pieces: [document] }, 8));
  await refused('MalformedXML', () => reading({ pieces: [document], length: 'chunked' }, 8));
  await refused('EntityTooLarge', () => reading({ pieces: [document] }, 8, { tooLarge: 'EntityTooLarge' }));
  await refused('XAmzContentSHA256Mismatch', () => reading({ payloadHash: sha256('x'), pieces: [document] }));
  const md5 = (data: string | Buffer): Pair => ['Content-MD5', createHash('md5').update(data).digest('base64')];
  assert.equal(await reading({ headers: [md5(document)], pieces: [document] }), '<Delete/>');
  await refused('BadDigest', () => reading({ headers: [md5('x')], pieces: [document] }));
  const foreign: Pair = ['x-amz-checksum-crc32', await checksumText('CRC32', Buffer.from('the object'))];
  await refused('BadDigest', () => reading({ headers: [foreign], pieces: [document] }));
  assert.equal(await reading({ headers: [foreign], pieces: [document] }, 9, { checksumOf: 'object' }), '<Delete/>');
});

test('payload: aws-chunked is no encoding of the object', () => {
  assert.equal(storedContentEncoding('aws-chunked'), undefined);
  assert.equal(storedContentEncoding('gzip, aws-chunked'), 'gzip');
  assert.equal(storedContentEncoding('AWS-Chunked,gzip,br'), 'gzip,br');
  assert.equal(storedContentEncoding('gzip'), 'gzip');
});
