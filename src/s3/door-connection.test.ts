import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import http from 'node:http';
import net from 'node:net';
import { after, before, test } from 'node:test';
import * as s3 from '@aws-sdk/client-s3';
import { type Door, openDoor, signedHeaders } from './door.test-support.ts';

let door: Door;
before(async () => {
  door = await openDoor();
  await door.client().send(new s3.CreateBucketCommand({ Bucket: 'lab' }));
});
after(() => door.close());

async function rawRequest(
  method: string,
  target: string,
  headers: Record<string, string>,
  forged = false,
): Promise<string> {
  const payloadHash = headers['x-amz-content-sha256'] ?? 'UNSIGNED-PAYLOAD';
  const signed = await signedHeaders(door.port, { method, target, headers, payloadHash, forged });
  return `${method} ${target} HTTP/1.1\r\n${Object.entries(signed)
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join('')}\r\n`;
}

async function eventually(check: () => boolean): Promise<void> {
  for (let i = 0; i < 200 && !check(); i++) await new Promise((resolve) => setTimeout(resolve, 10));
  assert.ok(check());
}

test('Expect: 100-continue is granted only after the request was authenticated and authorized', async () => {
  const target = '/lab/expected';
  const refused = await rawRequest('PUT', target, { expect: '100-continue', 'content-length': '5' }, true);
  const no = await door.raw(refused);
  assert.match(no, /^HTTP\/1\.1 403 /);
  assert.match(no, /Connection: close/i);
  assert.doesNotMatch(no, /100 Continue/);
  const granted = await rawRequest('PUT', target, { expect: '100-continue', 'content-length': '5' });
  const answer = await new Promise<string>((resolve, reject) => {
    let text = '';
    const socket = net.connect(door.port, '127.0.0.1', () => socket.write(granted));
    socket.on('error', reject);
    socket.on('data', (piece) => {
      const before = text;
      text += piece.toString('latin1');
      if (before === '' && text.startsWith('HTTP/1.1 100')) socket.write('hello');
      if (/HTTP\/1\.1 [2-5]/.test(text)) socket.destroy();
    });
    socket.on('close', () => resolve(text));
  });
  assert.match(answer, /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 /);
  assert.equal((await door.knock({ target })).body, 'hello');
});

test('P-12 unread bytes of a refused request are never read as a next one', async () => {
  const inner = await rawRequest('DELETE', '/lab/expected', {});
  const size = 200_000;
  const smuggled = inner + 'x'.repeat(size - inner.length);
  const outer = await rawRequest('PUT', '/lab/smuggle', { 'content-length': String(size) }, true);
  const events = door.events.length;
  const answer = await door.raw(outer + smuggled);
  assert.equal(answer.match(/HTTP\/1\.1 /g)?.length, 1);
  assert.match(answer, /^HTTP\/1\.1 403 [\s\S]*Connection: close[\s\S]*SignatureDoesNotMatch/i);
  assert.equal(door.events.length, events + 1);
  const small = await rawRequest('PUT', '/lab/smuggle', { 'content-length': String(inner.length) }, true);
  const next = await rawRequest('GET', '/lab/expected', { connection: 'close' });
  const both = await door.raw(small + inner + next);
  assert.deepEqual(both.match(/HTTP\/1\.1 \d+/g), ['HTTP/1.1 403', 'HTTP/1.1 200']);
  assert.equal((await door.knock({ target: '/lab/expected' })).body, 'hello');
});

test('a client that is refused in the middle of a large upload can read why', async () => {
  const signed = await signedHeaders(door.port, { method: 'PUT', target: '/lab/refused', forged: true });
  const status = await new Promise<number | undefined>((resolve, reject) => {
    const size = 4 * 1024 ** 2;
    const headers = { ...signed, 'content-length': String(size) };
    const options = { host: '127.0.0.1', port: door.port, method: 'PUT', path: '/lab/refused', headers, agent: false };
    const request = http.request(options, (response) => {
      response.resume();
      resolve(response.statusCode);
    });
    request.on('error', reject);
    request.end(Buffer.alloc(size));
  });
  assert.equal(status, 403);
});

test('a body that turns out wrong is answered, not cut off, and leaves nothing', async () => {
  const body = Buffer.alloc(3 * 1024 ** 2, 'z');
  const wrong = createHash('sha256').update('other').digest('hex');
  const answer = await door.knock({ method: 'PUT', target: '/lab/wrong', body, payloadHash: wrong });
  assert.deepEqual([answer.status, answer.code], [400, 'XAmzContentSHA256Mismatch']);
  const digest = { 'content-md5': Buffer.alloc(16).toString('base64') };
  assert.equal(
    (await door.knock({ method: 'PUT', target: '/lab/wrong', body: 'x', headers: digest })).code,
    'BadDigest',
  );
  const framed = 'zz\r\n'.padEnd(300_000, 'x');
  const broken = await door.knock({
    method: 'PUT',
    target: '/lab/wrong',
    body: framed,
    payloadHash: 'STREAMING-UNSIGNED-PAYLOAD-TRAILER',
    headers: { 'x-amz-decoded-content-length': '3000000' },
  });
  assert.equal(broken.status, 400);
  assert.equal((await door.knock({ target: '/lab/wrong' })).code, 'NoSuchKey');
});

test('P-13 a body that stops coming is refused with RequestTimeout, one that keeps coming is not', async (t) => {
  const patient = await openDoor({}, 400);
  t.after(() => patient.close());
  await patient.client().send(new s3.CreateBucketCommand({ Bucket: 'lab' }));
  const head = async (method: string, target: string, headers: Record<string, string>) => {
    const signed = await signedHeaders(patient.port, { method, target, headers, payloadHash: 'UNSIGNED-PAYLOAD' });
    const lines = Object.entries(signed).map(([name, value]) => `${name}: ${value}\r\n`);
    return `${method} ${target} HTTP/1.1\r\n${lines.join('')}\r\n`;
  };
  for (const [method, target, headers, sent] of [
    ['PUT', '/lab/small', { 'content-length': '100' }, 'x'],
    ['PUT', '/lab/large', { 'content-length': '5000000' }, 'x'.repeat(100_000)],
    ['PUT', '/lab/none', { 'content-length': '5000000' }, ''],
    ['PUT', '/lab/waits', { 'content-length': '100', expect: '100-continue' }, ''],
    ['POST', '/lab?delete', { 'content-length': '100' }, '<Delete>'],
  ] as const) {
    const answer = await patient.raw((await head(method, target, headers)) + sent);
    assert.match(answer, /HTTP\/1\.1 400 [\s\S]*Connection: close[\s\S]*<Code>RequestTimeout</i, target);
    if (method === 'PUT') assert.equal((await patient.knock({ target })).code, 'NoSuchKey');
  }
  const moving = await head('PUT', '/lab/moving', { 'content-length': '10', connection: 'close' });
  const answer = await new Promise<string>((resolve, reject) => {
    let text = '';
    const socket = net.connect(patient.port, '127.0.0.1', async () => {
      socket.write(moving);
      for (let i = 0; i < 10; i++) {
        await new Promise((wake) => setTimeout(wake, 100));
        socket.write(String(i));
      }
    });
    socket.on('data', (piece) => {
      text += piece.toString('latin1');
    });
    socket.on('error', reject);
    socket.on('close', () => resolve(text));
  });
  assert.match(answer, /^HTTP\/1\.1 200 /);
  assert.equal((await patient.knock({ target: '/lab/moving' })).body, '0123456789');
  assert.deepEqual(patient.accidents, []);
});

test('P-13 the idle limit is for clients: our own slow work does not cut them off, a reader who stops is cut', async (t) => {
  const busy = await openDoor({}, 300);
  t.after(() => busy.close());
  await busy.client().send(new s3.CreateBucketCommand({ Bucket: 'lab' }));
  await busy.knock({ method: 'PUT', target: '/lab/k', body: Buffer.alloc(20 * 1024 ** 2) });
  const allow = busy.ports.authorize;
  Object.assign(busy.ports, {
    authorize: (question: Parameters<typeof allow>[0]) =>
      new Promise((resolve) => setTimeout(() => resolve(allow(question)), 1000)),
  });
  assert.equal((await busy.knock({ method: 'PUT', target: '/lab/slow', body: 'x' })).status, 200);
  Object.assign(busy.ports, { authorize: allow });
  const signed = await signedHeaders(busy.port, { target: '/lab/k' });
  const events = busy.events.length;
  const socket = net.connect(busy.port, '127.0.0.1', () => {
    const lines = Object.entries(signed).map(([name, value]) => `${name}: ${value}\r\n`);
    socket.write(`GET /lab/k HTTP/1.1\r\n${lines.join('')}\r\n`);
    socket.pause();
  });
  socket.on('error', () => {});
  await eventually(() => busy.events.length > events);
  assert.equal(busy.events.at(-1)?.errorCode, 'ClientGone');
  socket.destroy();
});

test('D-09 a client gone in the middle of an upload leaves nothing behind and disturbs nobody', async () => {
  await door.knock({ method: 'PUT', target: '/lab/half', body: 'before' });
  for (const size of [100_000, 8 * 1024 ** 2]) {
    const events = door.events.length;
    const head = await rawRequest('PUT', '/lab/half', { 'content-length': String(size) });
    await new Promise<void>((resolve) => {
      const socket = net.connect(door.port, '127.0.0.1', () => {
        socket.write(head);
        socket.write(Buffer.alloc(size - 1), () => setTimeout(() => socket.destroy(), 30));
      });
      socket.on('close', () => resolve());
    });
    await eventually(() => door.events.length > events);
    assert.notEqual(door.events.at(-1)?.status, 200);
  }
  assert.equal((await door.knock({ target: '/lab/half' })).body, 'before');
  const listed = await door.knock({ target: '/lab?uploads' });
  assert.doesNotMatch(listed.body, /<Upload>/);
});

test('a client gone in the middle of a download ends the read', async () => {
  const body = Buffer.alloc(32 * 1024 ** 2, 'd');
  await door.knock({ method: 'PUT', target: '/lab/big', body });
  const events = door.events.length;
  const head = await rawRequest('GET', '/lab/big', {});
  const socket = net.connect(door.port, '127.0.0.1', () => socket.write(head));
  await new Promise((resolve) => socket.once('data', resolve));
  socket.destroy();
  await eventually(() => door.events.length > events);
  assert.equal(door.events.at(-1)?.status, 499);
  assert.ok((door.events.at(-1)?.bytesOut ?? 0) < body.length);
});

test('D-19 a request that throws is a 500 with its request id, and the next one is served', async () => {
  const authorize = door.ports.authorize;
  Object.assign(door.ports, { authorize: () => Promise.reject(new Error('secret detail')) });
  const later = await door.knock({ target: '/lab/half' });
  Object.assign(door.ports, {
    authorize: () => {
      throw new TypeError('secret detail');
    },
  });
  const now = await door.knock({ target: '/lab/half' });
  Object.assign(door.ports, { authorize });
  for (const answer of [later, now]) {
    assert.deepEqual([answer.status, answer.code], [500, 'InternalError']);
    assert.ok(answer.body.includes(answer.headers['x-amz-request-id'] as string));
    assert.doesNotMatch(answer.body, /secret detail/);
  }
  assert.equal(door.accidents.splice(0).length, 2);
  assert.equal((await door.knock({ target: '/lab/half' })).body, 'before');
});

test('every request makes exactly one event', async () => {
  door.events.length = 0;
  await door.knock({ target: '/lab/half', headers: { 'user-agent': 'probe/1' } });
  await door.knock({ target: '/lab/none' });
  await door.knock({ target: '/%ff' });
  await door.knock({ method: 'PUT', target: '/lab/half', body: 'after' });
  assert.deepEqual(
    door.events.map((event) => [
      event.operation,
      event.status,
      event.errorCode,
      event.key,
      event.bytesIn,
      event.bytesOut > 0,
    ]),
    [
      ['GetObject', 200, undefined, 'half', 0, true],
      ['GetObject', 404, 'NoSuchKey', 'none', 0, true],
      ['Unknown', 400, 'InvalidURI', undefined, 0, true],
      ['PutObject', 200, undefined, 'half', 5, false],
    ],
  );
  assert.equal(door.events[0]?.userAgent, 'probe/1');
});
