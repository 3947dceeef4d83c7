import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import { STREAMING_UNSIGNED_TRAILER } from '../sigv4/index.ts';
import { readDocument } from './document.ts';
import { storedContentEncoding } from './encoding.ts';
import { type Sending, send, sha256, splitEvery } from './framing.test-support.ts';
import { openBody } from './open-body.ts';

import {
  checksumText,
  decoded,
  LARGE,
  type Pair,
  RULES,
  receive,
  refused,
  SMALL,
  signedSending,
  unsignedSending,
} from './receiving.test-support.ts';

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
