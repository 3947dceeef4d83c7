import assert from 'node:assert/strict';
import http from 'node:http';
import http2 from 'node:http2';
import net from 'node:net';
import { test } from 'node:test';
import { type Listener, listenApi, listenS3 } from './listen.ts';
import { malformedS3Request } from './malformed.ts';

const address = { host: '127.0.0.1', port: 0 };
const malformed = malformedS3Request;

function api(): Promise<Listener> {
  return listenApi({
    address,
    tls: undefined,
    http1: (_request, response) => void response.end('one'),
    http2: (_request, response) => void response.end('two'),
    malformed,
  });
}

function getHttp1(port: number, agent: http.Agent): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = http.get({ host: address.host, port, agent }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (text: string) => {
        body += text;
      });
      response.on('end', () => resolve(body));
    });
    request.on('error', reject);
  });
}

async function getHttp2(session: http2.ClientHttp2Session): Promise<string> {
  const stream = session.request({ ':path': '/' });
  let body = '';
  for await (const chunk of stream) body += chunk;
  return body;
}

test('the API door speaks HTTP/1.1 and HTTP/2 with prior knowledge on one port', async () => {
  const door = await api();
  const agent = new http.Agent({ keepAlive: true });
  const session = http2.connect(`http://127.0.0.1:${door.port}`);
  assert.equal(await getHttp2(session), 'two');
  assert.equal(await getHttp1(door.port, agent), 'one');
  assert.deepEqual(await Promise.all([getHttp2(session), getHttp2(session)]), ['two', 'two']);
  assert.equal(await getHttp1(door.port, agent), 'one');
  session.close();
  agent.destroy();
  await door.stop(0);
});

test('idle connections of either kind do not hold up a stop', { timeout: 20_000 }, async () => {
  const doors = [await api(), await listenS3({ address, tls: undefined, malformed, handler: (_q, r) => void r.end() })];
  for (const door of doors) {
    const agent = new http.Agent({ keepAlive: true });
    await getHttp1(door.port, agent);
    // Far beyond the limit of this test: whoever waits for it fails.
    await door.stop(600_000);
    agent.destroy();
  }
  const door = await api();
  const session = http2.connect(`http://127.0.0.1:${door.port}`);
  await getHttp2(session);
  await door.stop(600_000);
  session.destroy();
});

test('P-12 what is no HTTP is answered once, and never in the middle of another answer', async () => {
  const door = await listenS3({
    address,
    tls: undefined,
    malformed,
    handler: (_request, response) => {
      response.writeHead(200, { 'content-length': '10' });
      response.write('begun');
    },
  });
  const say = (bytes: string, more?: string) =>
    new Promise<string>((resolve) => {
      let text = '';
      const socket = net.connect(door.port, address.host, () => socket.write(bytes));
      socket.on('data', (piece) => {
        text += piece.toString('latin1');
        if (more !== undefined && text.endsWith('begun')) socket.write(more);
      });
      socket.setTimeout(5000, () => socket.destroy());
      socket.on('error', () => {});
      socket.on('close', () => resolve(text));
    });
  assert.match(await say('NOT HTTP\r\n\r\n'), /^HTTP\/1\.1 400 [\s\S]*Connection: close[\s\S]*<Code>InvalidRequest</);
  assert.match(await say(`GET / HTTP/1.1\r\nx: ${'x'.repeat(40_000)}\r\n\r\n`), /^HTTP\/1\.1 431 /);
  const both = await say('GET / HTTP/1.1\r\nhost: a\r\n\r\n', 'NOT HTTP\r\n\r\n');
  assert.match(both, /begun$/);
  assert.equal(both.match(/HTTP\/1\.1 /g)?.length, 1);
  await door.stop(0);
});
