import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as aws from '@aws-sdk/client-s3';
import fc from 'fast-check';
import { S3Error } from './errors.ts';
import { OPERATIONS, SUBRESOURCES } from './operations.ts';
import { HANDLERS } from './ops/index.ts';
import { type RouteOptions, route } from './route.ts';

const FRIENDLY: RouteOptions = { domains: ['localhost', 's3.example.org'], strict: false };
const STRICT: RouteOptions = { ...FRIENDLY, strict: true };

function go(method: string, target: string, host = '127.0.0.1:9000', headers = {}, options = FRIENDLY) {
  const at = target.indexOf('?');
  const [path, query] = at < 0 ? [target, ''] : [target.slice(0, at), target.slice(at + 1)];
  return route({ method, path, query, headers: { host, ...headers } }, options);
}

function codeOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof S3Error) return error.code;
    throw error;
  }
  return 'none';
}

test('P-16 a copy source that a presigner moved into the query makes a copy, in any case of letters', () => {
  for (const name of ['x-amz-copy-source', 'X-Amz-Copy-Source']) {
    assert.equal(go('PUT', `/lab/k?${name}=lab%2Fa`).row.name, 'CopyObject', name);
    assert.equal(go('PUT', `/lab/k?partNumber=1&uploadId=u&${name}=lab%2Fa`).row.name, 'UploadPartCopy', name);
  }
});

test('every request form reaches its row', () => {
  const cases: [string, string, string][] = [
    ['GET', '/', 'ListBuckets'],
    ['GET', '/?x-id=ListBuckets', 'ListBuckets'],
    ['PUT', '/lab', 'CreateBucket'],
    ['PUT', '/lab/', 'CreateBucket'],
    ['HEAD', '/lab', 'HeadBucket'],
    ['DELETE', '/lab', 'DeleteBucket'],
    ['GET', '/lab', 'ListObjects'],
    ['GET', '/lab?prefix=a', 'ListObjects'],
    ['GET', '/lab?list-type=2', 'ListObjectsV2'],
    ['GET', '/lab?location', 'GetBucketLocation'],
    ['GET', '/lab?location=', 'GetBucketLocation'],
    ['GET', '/lab?versions', 'ListObjectVersions'],
    ['GET', '/lab?uploads', 'ListMultipartUploads'],
    ['POST', '/lab?delete', 'DeleteObjects'],
    ['POST', '/lab', 'PostObject'],
    ['GET', '/lab?inventory&id=a', 'GetBucketInventoryConfiguration'],
    ['GET', '/lab?inventory', 'ListBucketInventoryConfigurations'],
    ['GET', '/lab/k', 'GetObject'],
    ['GET', '/lab/k?x-id=GetObject', 'GetObject'],
    ['GET', '/lab/k?partNumber=1', 'GetObject'],
    ['GET', '/lab/k?versionId=null', 'GetObject'],
    ['GET', '/lab/k?uploadId=u', 'ListParts'],
    ['PUT', '/lab/k', 'PutObject'],
    ['PUT', '/lab/k?partNumber=1&uploadId=u', 'UploadPart'],
    ['PUT', '/lab/k?renameObject', 'RenameObject'],
    ['POST', '/lab/k?uploads', 'CreateMultipartUpload'],
    ['POST', '/lab/k?uploadId=u', 'CompleteMultipartUpload'],
    ['DELETE', '/lab/k?uploadId=u', 'AbortMultipartUpload'],
    ['DELETE', '/lab/k', 'DeleteObject'],
    ['POST', '/lab/k', 'Unknown'],
    ['PATCH', '/lab/k', 'Unknown'],
    ['PUT', '/', 'Unknown'],
  ];
  for (const [method, target, name] of cases) assert.equal(go(method, target).row.name, name, `${method} ${target}`);
  const copy = { 'x-amz-copy-source': 'lab/a' };
  assert.equal(go('PUT', '/lab/k', undefined, copy).row.name, 'CopyObject');
  assert.equal(go('PUT', '/lab/k?partNumber=1&uploadId=u', undefined, copy).row.name, 'UploadPartCopy');
});

test('every operation of the AWS client has a row, every row is reachable, every served row has a handler', () => {
  const elsewhere = new Set(['ListDirectoryBuckets', 'WriteGetObjectResponse', '$']);
  const commands = Object.keys(aws)
    .filter((name) => name.endsWith('Command'))
    .map((name) => name.slice(0, -'Command'.length))
    .filter((name) => !elsewhere.has(name));
  const rows = new Map(OPERATIONS.map((row) => [row.name as string, row]));
  assert.deepEqual(
    commands.filter((name) => !rows.has(name)),
    [],
  );
  assert.ok(commands.length > 100);
  for (const row of OPERATIONS) {
    const path = { service: '/', bucket: '/lab', object: '/lab/k' }[row.path];
    const query = row.query.map((name) => `${name}=2`).join('&');
    const headers = row.header === undefined ? {} : { [row.header]: 'lab/a' };
    assert.equal(go(row.method, query === '' ? path : `${path}?${query}`, undefined, headers).row.name, row.name);
    assert.equal(row.name in HANDLERS, row.state === 'supported', row.name);
  }
});

test('P-01 keys are exactly the bytes that were sent', () => {
  const keys = [
    '..',
    '.',
    '../../etc/passwd',
    '/',
    '//',
    'a//b/',
    '/lead',
    '\\win',
    'a;b',
    'C:x',
    'CON',
    'a.',
    'a ',
    '%',
    '+',
  ];
  for (const key of keys) {
    const encoded = key.split('/').map(encodeURIComponent).join('/');
    assert.equal(go('GET', `/lab/${encoded}`).key, key);
    assert.equal(go('GET', `/lab/${encoded}`).bucket, 'lab');
    assert.equal(go('GET', `/${encoded}`, 'lab.localhost:9000').key, key);
  }
  assert.equal(go('GET', '/lab/%2e%2e/x').key, '../x');
  assert.equal(go('GET', '/lab/../other/x').key, '../other/x');
  assert.equal(go('GET', '/lab/a+b').key, 'a+b');
  assert.equal(go('GET', '/lab/%252e').key, '%2e');
});

test('P-01 any key comes back from its encoded form unchanged', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 60 }), (key) => {
      fc.pre(!key.includes('\0') && key.isWellFormed());
      const raw = [...Buffer.from(key)].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join('');
      assert.equal(go('GET', `/lab/${raw}`).key, key);
    }),
  );
});

test('P-02 escapes that are cut, no UTF-8, or NUL are InvalidURI', () => {
  const bad = [
    '%',
    '%a',
    '%zz',
    '%0',
    '%ff',
    '%c3',
    '%c3%28',
    '%c0%80',
    '%ed%a0%80',
    '%f4%90%80%80',
    '%00',
    'a%00b',
    '%e2%82',
  ];
  for (const part of bad)
    assert.equal(
      codeOf(() => go('GET', `/lab/${part}`)),
      'InvalidURI',
      part,
    );
  for (const part of ['\u00e9', 'a b', '\x7f'])
    assert.equal(
      codeOf(() => go('GET', `/lab/${part}`)),
      'InvalidURI',
    );
  assert.equal(
    codeOf(() => go('GET', 'http://lab/x')),
    'InvalidURI',
  );
  assert.equal(
    codeOf(() => go('GET', '/lab?prefix=%ff')),
    'InvalidURI',
  );
});

test('P-04 a key of 1,024 bytes of UTF-8 is taken and one more is not', () => {
  assert.equal(go('GET', `/lab/${'a'.repeat(1024)}`).key.length, 1024);
  assert.equal(
    codeOf(() => go('GET', `/lab/${'a'.repeat(1025)}`)),
    'KeyTooLongError',
  );
  const euro = '%e2%82%ac';
  assert.equal(go('GET', `/lab/${euro.repeat(341)}a`).key.length, 342);
  assert.equal(
    codeOf(() => go('GET', `/lab/${euro.repeat(341)}ab`)),
    'KeyTooLongError',
  );
});

test('P-05 a bucket is taken from the host name only below a configured domain', () => {
  assert.equal(go('GET', '/k', 'lab.localhost:9000').bucket, 'lab');
  assert.equal(go('GET', '/k', 'lab.s3.example.org').bucket, 'lab');
  assert.equal(go('GET', '/k', 'a.b.localhost').bucket, 'a.b');
  assert.equal(go('GET', '/lab/k', 'LocalHost:1').bucket, 'lab');
  assert.equal(go('GET', '/lab/k', '[::1]:9000').bucket, 'lab');
  const refused: [string, RouteOptions][] = [
    ['LAB.localhost', FRIENDLY],
    ['a..localhost', FRIENDLY],
    ['.localhost', FRIENDLY],
    ['-a.localhost', FRIENDLY],
    ['127.0.0.1.localhost', FRIENDLY],
    ['a_b.localhost', FRIENDLY],
    ['a.b.localhost', STRICT],
  ];
  for (const [host, options] of refused) {
    assert.equal(
      codeOf(() => go('GET', '/k', host, {}, options)),
      'InvalidBucketName',
      host,
    );
  }
  for (const host of ['lab.evil.example', 'lablocalhost', 'localhost.evil', 'lab.localhost.', '']) {
    assert.equal(
      codeOf(() => go('GET', '/lab/k', host)),
      'InvalidRequest',
      host,
    );
  }
});

test('P-05 bucket names in the path are checked before anything is looked up', () => {
  for (const name of ['LAB', 'ab', 'a_b', 'a..b', '.ab', '10.0.0.1', 'a%2Fb', 'x'.repeat(64), '%2e%2e']) {
    assert.equal(
      codeOf(() => go('GET', `/${name}/k`)),
      'InvalidBucketName',
      name,
    );
  }
  assert.equal(
    codeOf(() => go('GET', '//k')),
    'InvalidBucketName',
  );
});

test('strict mode refuses path-style and names virtual-hosted addressing', () => {
  assert.throws(() => go('GET', '/lab/k', '127.0.0.1', {}, STRICT), {
    code: 'InvalidRequest',
    message: /virtual-hosted/,
  });
  assert.equal(go('GET', '/', 'localhost', {}, STRICT).row.name, 'ListBuckets');
  assert.equal(go('GET', '/k', 'lab.localhost', {}, STRICT).row.name, 'GetObject');
});

test('A-13 no known sub-resource is ever handled as a plain request', () => {
  const plain = new Set([
    'GetObject',
    'PutObject',
    'DeleteObject',
    'HeadObject',
    'ListObjects',
    'CreateBucket',
    'DeleteBucket',
    'HeadBucket',
    'CopyObject',
    'ListBuckets',
  ]);
  for (const name of SUBRESOURCES) {
    for (const method of ['GET', 'HEAD', 'PUT', 'POST', 'DELETE']) {
      for (const target of ['/', '/lab', '/lab/k']) {
        const { row } = go(method, `${target}?${name}`);
        assert.ok(!plain.has(row.name), `${method} ${target}?${name} became ${row.name}`);
      }
    }
  }
  assert.equal(
    codeOf(() => go('GET', '/lab?uploads&policy')),
    'InvalidArgument',
  );
  assert.equal(
    codeOf(() => go('PUT', '/lab/k?partNumber=1')),
    'InvalidArgument',
  );
});
