import assert from 'node:assert/strict';
import { test } from 'node:test';
import { STREAMING_SIGNED_TRAILER } from '../sigv4/index.ts';
import { type Sending, sha256, signedChunks, signedTrailer, splitEvery } from './framing.test-support.ts';

import {
  ALGORITHMS,
  checksumText,
  decoded,
  LARGE,
  type Pair,
  receive,
  refused,
  SMALL,
  unsignedSending,
} from './receiving.test-support.ts';

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
