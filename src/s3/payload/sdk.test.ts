import assert from 'node:assert/strict';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { after, before, test } from 'node:test';
import {
  DeleteObjectsCommand,
  GetObjectCommand,
  PutObjectCommand,
  S3Client,
  type ChecksumAlgorithm as SdkAlgorithm,
} from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import type { StoredChecksum } from '../../core/index.ts';
import type { S3Request } from '../request.ts';
import { parseClaim, verifyClaim } from '../sigv4/index.ts';
import { TEST_KEY_ID, TEST_SECRET } from '../sigv4/signing.test-support.ts';
import { readDocument } from './document.ts';
import { openBody } from './open-body.ts';

interface Seen {
  readonly payloadHash: string | undefined;
  readonly form: string | undefined;
  readonly bytes: Buffer;
  readonly checksum: StoredChecksum | undefined;
}

let seen: Seen | Error | undefined;

function asRequest(message: IncomingMessage): S3Request {
  const target = message.url ?? '';
  const [path = '', query = ''] = target.split(/\?(.*)/s, 2);
  const { method = '', rawHeaders, headers } = message;
  return {
    id: 'T1',
    method,
    target,
    path,
    query,
    rawHeaders,
    headers,
    secure: false,
    sourceAddress: '127.0.0.1',
    body: message,
  };
}

async function judge(message: IncomingMessage): Promise<Seen> {
  const request = asRequest(message);
  const claim = parseClaim(request);
  assert.ok(claim !== undefined);
  const verified = verifyClaim(request, claim, { secret: TEST_SECRET }, Date.now());
  const base = { payloadHash: claim.payloadHash, form: claim.form };
  if (request.method !== 'PUT')
    return { ...base, bytes: await readDocument(request, claim, verified, 1_000_000), checksum: undefined };
  const { source } = await openBody(request, claim, verified, { streamingAllowed: true, required: true, sizeMax: 1e9 });
  if (source.kind === 'whole') return { ...base, bytes: Buffer.from(source.bytes), checksum: source.checksum };
  const bytes = Buffer.concat(await Array.fromAsync(source.chunks));
  return { ...base, bytes, checksum: source.checksum() };
}

const server = createServer(async (message, response) => {
  try {
    seen = await judge(message);
  } catch (error) {
    seen = error as Error;
  }
  message.resume();
  response
    .writeHead(200, { 'content-type': 'application/xml' })
    .end(message.method === 'POST' ? '<DeleteResult/>' : '');
});
let client: S3Client;
let endpoint = '';

before(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const credentials = { accessKeyId: TEST_KEY_ID, secretAccessKey: TEST_SECRET, sessionToken: '' };
  client = new S3Client({ endpoint, region: 'notempty', forcePathStyle: true, credentials, maxAttempts: 1 });
});
after(() => {
  client.destroy();
  server.close();
});

function last(): Seen {
  assert.ok(seen !== undefined && !(seen instanceof Error), String(seen));
  return seen;
}

const SMALL = Buffer.from('hello, sallyport');
const LARGE = Buffer.alloc(3_000_001, 'sallyport');
const KEY = "a b+c/..//!'()*;=@&ä😀%2F~.txt";

for (const algorithm of ['CRC32', 'CRC32C', 'CRC64NVME', 'SHA1', 'SHA256'] as const) {
  test(`AWS SDK for JavaScript: buffers and streams with ${algorithm} verify`, async () => {
    for (const data of [SMALL, LARGE, Buffer.alloc(0)]) {
      const common = {
        Bucket: 'lab',
        Key: KEY,
        ChecksumAlgorithm: algorithm as SdkAlgorithm,
        Metadata: { note: ' two  blanks ' },
      };
      await client.send(new PutObjectCommand({ ...common, Body: data }));
      assert.ok(last().bytes.equals(data));
      assert.equal(last().checksum?.algorithm, algorithm);
      await client.send(new PutObjectCommand({ ...common, Body: Readable.from([data]), ContentLength: data.length }));
      assert.ok(last().bytes.equals(data));
      assert.equal(last().checksum?.algorithm, algorithm);
    }
  });
}

test('AWS SDK for JavaScript: a document verifies', async () => {
  await client.send(new DeleteObjectsCommand({ Bucket: 'lab', Delete: { Objects: [{ Key: KEY }] } }));
  assert.match(last().bytes.toString(), /<Delete /);
});

test('AWS SDK for JavaScript: presigned URLs verify', async () => {
  // fetch would resolve the dots before it sends them.
  const fetchable = KEY.replace('..', 'dots');
  const get = await getSignedUrl(client, new GetObjectCommand({ Bucket: 'lab', Key: fetchable }), { expiresIn: 60 });
  await fetch(get);
  assert.equal(last().form, 'query');
  const put = await getSignedUrl(client, new PutObjectCommand({ Bucket: 'lab', Key: 'plain' }), { expiresIn: 60 });
  await fetch(put, { method: 'PUT', body: SMALL });
  assert.ok(last().bytes.equals(SMALL));
});
