import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { S3Call } from './call.ts';
import { etagListMatches, judgeRead } from './conditions.ts';
import { parseCopySource } from './copy-source.ts';
import { S3Error } from './errors.ts';
import { continuationToken, integerParameter, pageSize, readContinuationToken } from './parameters.ts';
import { copyRange, readRange } from './ranges.ts';

function codeOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof S3Error) return error.code;
    throw error;
  }
  return 'none';
}

const withQuery = (value: string): S3Call => ({ query: () => value }) as unknown as S3Call;

test('P-10 numbers are plain decimal digits within their limits', () => {
  for (const bad of ['-1', '+1', '1.5', '1e3', '0x10', ' 5', '5 ', '4294967296', '18446744073709551616', 'NaN', '١']) {
    assert.equal(
      codeOf(() => pageSize(withQuery(bad), 'max-keys')),
      'InvalidArgument',
      bad,
    );
    assert.equal(
      codeOf(() => integerParameter(withQuery(bad), 'partNumber', 1, 10_000)),
      'InvalidArgument',
      bad,
    );
  }
  for (const bad of ['0', '10001', '']) {
    assert.equal(
      codeOf(() => integerParameter(withQuery(bad), 'partNumber', 1, 10_000)),
      'InvalidArgument',
      bad,
    );
  }
  assert.equal(pageSize(withQuery('0'), 'max-keys'), 0);
  assert.equal(pageSize(withQuery('1001'), 'max-keys'), 1000);
  assert.equal(pageSize(withQuery('2147483647'), 'max-keys'), 1000);
});

test('P-10 a bad Range is ignored or 416, as HTTP says', () => {
  const whole = [
    'bytes=',
    'bytes=a-b',
    'bytes=5-2',
    'bytes=0-1,3-4',
    'items=0-1',
    'bytes=-',
    'bytes=1e3-',
    'bytes=0x1-',
    'bytes= 1-2',
    '0-5',
  ];
  for (const header of whole) assert.equal(readRange(header, 10), undefined, header);
  for (const header of ['bytes=10-', 'bytes=10-20', 'bytes=-0', 'bytes=99999999999999999999-']) {
    assert.equal(
      codeOf(() => readRange(header, 10)),
      'InvalidRange',
      header,
    );
  }
  assert.equal(
    codeOf(() => readRange('bytes=0-', 0)),
    'InvalidRange',
  );
  assert.equal(
    codeOf(() => readRange('bytes=-5', 0)),
    'InvalidRange',
  );
  assert.deepEqual(readRange('bytes=2-4', 10), { start: 2, length: 3 });
  assert.deepEqual(readRange('bytes=2-', 10), { start: 2, length: 8 });
  assert.deepEqual(readRange('bytes=-3', 10), { start: 7, length: 3 });
  assert.deepEqual(readRange('bytes=-30', 10), { start: 0, length: 10 });
  assert.deepEqual(readRange('bytes=0-99999999999999999999', 10), { start: 0, length: 10 });
  for (const header of ['bytes=1-', 'bytes=-1', 'bytes=3-1', '1-2', 'bytes=1-2,3-4']) {
    assert.equal(
      codeOf(() => copyRange(header)),
      'InvalidArgument',
      header,
    );
  }
});

test('P-11 a continuation token is good for its own bucket only and cannot be made up', () => {
  const token = continuationToken('bucket-1', 'photos/ü.jpg');
  assert.equal(readContinuationToken('bucket-1', token), 'photos/ü.jpg');
  assert.equal(
    codeOf(() => readContinuationToken('bucket-2', token)),
    'InvalidArgument',
  );
  const bytes = Buffer.from(token, 'base64url');
  for (let at = 0; at < bytes.length; at++) {
    const changed = Buffer.from(bytes);
    changed[at] = (changed[at] ?? 0) ^ 1;
    assert.equal(
      codeOf(() => readContinuationToken('bucket-1', changed.toString('base64url'))),
      'InvalidArgument',
    );
  }
  for (const junk of ['', 'a', "' OR 1=1 --", '../x', `${token}=`, `${token}A`, 'A'.repeat(5000), token.slice(0, -1)]) {
    assert.equal(
      codeOf(() => readContinuationToken('bucket-1', junk)),
      'InvalidArgument',
      junk,
    );
  }
});

test('P-16 a copy source is decoded once, and anything but bucket/key is refused', () => {
  const source = (bucket: string, key: string, versionId?: string) => ({ bucket, key, versionId });
  assert.deepEqual(parseCopySource('lab/a'), source('lab', 'a'));
  assert.deepEqual(parseCopySource('/lab/a/../b'), source('lab', 'a/../b'));
  assert.deepEqual(parseCopySource('lab/%252e'), source('lab', '%2e'));
  assert.deepEqual(parseCopySource('lab%2Fa%2Fb'), source('lab', 'a/b'));
  assert.deepEqual(parseCopySource('lab/%3Fa+b'), source('lab', '?a+b'));
  assert.deepEqual(parseCopySource('lab/a?versionId=null'), source('lab', 'a', 'null'));
  const bad = [
    '',
    '/',
    'lab',
    'lab/',
    '/lab',
    '//a',
    '../lab/a',
    'LAB/a',
    'arn:aws:s3:::lab/a',
    'lab/%ff',
    'lab/%',
    'lab/%00',
    'lab/\u00e9',
    `lab/${'k'.repeat(1025)}`,
  ];
  for (const header of bad)
    assert.equal(
      codeOf(() => parseCopySource(header)),
      'InvalidArgument',
      header,
    );
});

test('read conditions follow the order of HTTP', () => {
  const version = { etag: 'e', lastModified: Date.parse('2026-01-02T00:00:00.500Z') };
  const none = { ifMatch: undefined, ifNoneMatch: undefined, ifModifiedSince: undefined, ifUnmodifiedSince: undefined };
  const older = 'Thu, 01 Jan 2026 00:00:00 GMT';
  const same = 'Fri, 02 Jan 2026 00:00:00 GMT';
  assert.equal(judgeRead(none, version), 'proceed');
  assert.deepEqual(judgeRead({ ...none, ifMatch: '"x"' }, version), { failed: 'If-Match' });
  assert.equal(judgeRead({ ...none, ifMatch: '"x", "e"' }, version), 'proceed');
  assert.equal(judgeRead({ ...none, ifMatch: '"e"', ifUnmodifiedSince: older }, version), 'proceed');
  assert.deepEqual(judgeRead({ ...none, ifUnmodifiedSince: older }, version), { failed: 'If-Unmodified-Since' });
  assert.equal(judgeRead({ ...none, ifUnmodifiedSince: same }, version), 'proceed');
  assert.equal(judgeRead({ ...none, ifNoneMatch: 'W/"e"' }, version), 'not-modified');
  assert.equal(judgeRead({ ...none, ifNoneMatch: '"x"', ifModifiedSince: same }, version), 'proceed');
  assert.equal(judgeRead({ ...none, ifModifiedSince: same }, version), 'not-modified');
  assert.equal(judgeRead({ ...none, ifModifiedSince: older }, version), 'proceed');
  assert.equal(judgeRead({ ...none, ifModifiedSince: 'yesterday' }, version), 'proceed');
  assert.ok(etagListMatches('*', 'e') && etagListMatches('e', 'e') && !etagListMatches('""', 'e'));
});
