import assert from 'node:assert/strict';
import { connect as connectHttp2 } from 'node:http2';
import { connect } from 'node:net';
import { after, before, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { openWorld, type Tenant, type World } from './test-support.ts';
import { fetchJson } from './test-support-clients.ts';

let world: World;
let home: Tenant;

before(async () => {
  world = await openWorld();
  home = await world.organization('home');
});
after(() => world.close());

function send(method: string, path: string, body?: unknown, headers: Record<string, string> = {}) {
  return fetchJson(world.http1Url + path, {
    method,
    headers: { 'content-type': 'application/json', authorization: `Bearer ${home.adminToken}`, ...headers },
    ...(body === undefined
      ? {}
      : { body: typeof body === 'string' || body instanceof Uint8Array ? (body as string) : JSON.stringify(body) }),
  });
}

test('HTTP/JSON: a permanent key says 1970, a temporary one its end; unset fields are printed, absent messages are not', async () => {
  const permanent = await send('POST', '/v1/cwobject/access-key', { durationSeconds: 0 });
  assert.equal(permanent.body?.expiry, '1970-01-01T00:00:00Z');
  assert.deepEqual(permanent.body?.attributes, {});
  assert.equal(permanent.body?.principalName, `coreweave/${home.adminId}`);
  const temporary = await send('POST', '/v1/cwobject/access-key', { durationSeconds: 900, attributes: { name: 'n' } });
  assert.equal(temporary.body?.expiry, '2027-02-03T10:15:00Z');
  const info = await send('GET', `/v1/cwobject/access-key/${String(temporary.body?.accessKeyId)}`);
  assert.deepEqual(info.body, {
    info: {
      accessKeyId: temporary.body?.accessKeyId,
      status: 'ACCESS_KEY_STATUS_ACTIVE',
      principalName: `coreweave/${home.adminId}`,
      attributes: { name: 'n' },
      expiry: '2027-02-03T10:15:00Z',
      orgId: home.orgId,
      multiAttributes: {},
    },
  });
  home.bucket('plain');
  const bucket = await send('GET', '/v1/cwobject/bucket-info/plain');
  assert.deepEqual(bucket.body, {
    info: {
      orgId: home.orgId,
      name: 'plain',
      creationTime: '2027-01-04T08:00:00Z',
      settings: {},
      location: 'US-EAST-04A',
      usage: [
        { measurementType: 'STANDARD_BYTES', value: '734003200', valueHumanReadable: '700 MiB' },
        { measurementType: 'STANDARD_OBJECTS', value: '42', valueHumanReadable: '42' },
      ],
    },
  });
});

test('HTTP/JSON: status words, long and short, in body and query; suspended keys are listed by status', async () => {
  const member = await home.member('suspended-one', [], ['cwobject:CreateAccessKey']);
  const made = await send(
    'POST',
    '/v1/cwobject/access-key',
    { durationSeconds: 900 },
    { authorization: `Bearer ${member.token}` },
  );
  const id = String(made.body?.accessKeyId);
  const listed = async (query: string) => {
    const answer = await send('GET', `/v1/cwobject/access-key?${query}`);
    assert.equal(answer.code, 'Ok', query);
    return ((answer.body?.info ?? []) as { accessKeyId: string; status: string }[]).find(
      (key) => key.accessKeyId === id,
    )?.status;
  };
  for (const status of ['SUSPENDED', 'ACCESS_KEY_STATUS_SUSPENDED', 2]) {
    const answer = await send('PUT', '/v1/cwobject/access-key-status', { principalName: member.principal, status });
    assert.deepEqual([answer.code, answer.body], ['Ok', {}]);
  }
  for (const query of [
    'status=ACCESS_KEY_STATUS_SUSPENDED',
    'status=SUSPENDED',
    'status=2',
    'limit=1000&offset=0',
    'status=0',
  ])
    assert.equal(await listed(query), 'ACCESS_KEY_STATUS_SUSPENDED', query);
  assert.equal(await listed('status=ACTIVE'), undefined);
  await send('PUT', '/v1/cwobject/access-key-status', { principal_name: member.principal, status: 'ACTIVE' });
  assert.equal(await listed('status=ACTIVE'), 'ACCESS_KEY_STATUS_ACTIVE');
  const missing = await send('PUT', '/v1/cwobject/access-key-status', { principalName: member.principal });
  assert.equal(missing.code, 'InvalidArgument');
});

test('HTTP/JSON: errors are Status bodies with details that clients know', async () => {
  const unknown = await send('DELETE', '/v1/cwobject/access-policy/not%20there');
  assert.equal(unknown.status, 404);
  assert.deepEqual(unknown.body, {
    code: 5,
    message: 'no access policy of this name',
    details: [
      {
        '@type': 'type.googleapis.com/google.rpc.ResourceInfo',
        resourceType: 'access policy',
        resourceName: 'not there',
        description: 'no access policy of this name',
      },
    ],
  });
  const invalid = await send('POST', '/v1/cwobject/access-key', {});
  assert.equal(invalid.status, 400);
  const [detail] = (invalid.body?.details ?? []) as { '@type': string; fieldViolations: { field: string }[] }[];
  assert.equal(detail?.['@type'], 'type.googleapis.com/google.rpc.BadRequest');
  assert.equal(detail?.fieldViolations[0]?.field, 'durationSeconds');
  const anonymous = await fetch(`${world.http1Url}/v1/cwobject/bucket-info`);
  assert.equal(anonymous.headers.get('www-authenticate'), 'Bearer');
  assert.deepEqual(Object.keys((await anonymous.json()) as object), ['code', 'message', 'details']);
});

test('HTTP/JSON: unknown path 404/5, wrong method 405/12 with Allow, RPC-like path unimplemented', async () => {
  const path = await send('GET', '/v1/cwobject/nothing');
  assert.deepEqual([path.status, path.code], [404, 'NotFound']);
  const response = await fetch(`${world.http1Url}/v1/cwobject/access-policy`, { method: 'PATCH' });
  assert.deepEqual([response.status, response.headers.get('allow')], [405, 'GET, POST']);
  assert.equal(((await response.json()) as { code: number }).code, 12);
  for (const name of ['coreweave.cwobject.v1.CWObject/Nothing', 'no.such.Service/Method']) {
    const rpc = await fetch(`${world.http1Url}/${name}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{}',
    });
    assert.equal(rpc.status, 501, name);
    assert.equal(((await rpc.json()) as { code: string }).code, 'unimplemented');
  }
});

test('HTTP/JSON: whoami, and methods that come later', async () => {
  const whoami = await send('GET', '/v1beta1/auth/whoami');
  assert.deepEqual(whoami.body, { principal: { uid: home.adminId, orgUid: home.orgId } });
  const later: [string, string][] = [
    ['POST', '/v1/cwobject/temporary-credentials/saml'],
    ['POST', '/v1/cwobject/temporary-credentials/oidc'],
    ['GET', `/v1/cwobject/temporary-credentials/oidc/${home.orgId}`],
  ];
  for (const [method, path] of later) {
    const answer = await fetchJson(world.http1Url + path, {
      method,
      ...(method === 'POST' ? { body: 'not JSON at all' } : {}),
    });
    assert.deepEqual([answer.status, answer.code], [501, 'Unimplemented'], path);
  }
});

const BAD_BODIES: Record<string, string | Uint8Array> = {
  'depth over 64': `{"policy":${'['.repeat(70)}${']'.repeat(70)}}`,
  'over 1 MiB': `{"policy":{"name":"${'x'.repeat(1024 ** 2)}"}}`,
  __proto__: '{"__proto__":{"x":1},"policy":{}}',
  constructor: '{"policy":{"constructor":{"prototype":{"x":1}}}}',
  'numbers beyond 2^53': '{"policy":{"statements":9007199254740993}}',
  'trailing text': '{"policy":{}} {}',
  'wrong UTF-8': Uint8Array.of(0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d),
  'a list': '[]',
  'a repeated member': '{"policy":{},"policy":{}}',
  'both spellings of a member': '{"policy":{"statements":[]},"policy":{"statements":[]}}',
};

test('P-09 hostile JSON bodies: 400/3 over HTTP/JSON and Connect, KEEP, prototypes untouched, ALIVE', async () => {
  const before = (await send('GET', '/v1/cwobject/access-policy')).body;
  for (const [what, body] of Object.entries(BAD_BODIES)) {
    for (const path of ['/v1/cwobject/access-policy', '/coreweave.cwobject.v1.CWObject/EnsureAccessPolicy']) {
      const init = {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization: `Bearer ${home.adminToken}` },
      };
      const response = await fetch(world.http1Url + path, { ...init, body: body as string });
      const { code } = (await response.json()) as { code: number | string };
      assert.deepEqual(
        [response.status, code],
        [400, path.startsWith('/v1') ? 3 : 'invalid_argument'],
        `${what} ${path}`,
      );
    }
  }
  const bomb = gzipSync(Buffer.alloc(64 * 1024 ** 2, 0x20));
  for (const path of ['/v1/cwobject/access-policy', '/coreweave.cwobject.v1.CWObject/EnsureAccessPolicy'])
    assert.equal(
      (await send('POST', path, new Uint8Array(bomb), { 'content-encoding': 'gzip' })).status,
      400,
      'compressed',
    );
  assert.equal(({} as { x?: number }).x, undefined);
  assert.deepEqual((await send('GET', '/v1/cwobject/access-policy')).body, before);
  assert.deepEqual(world.unexpected, []);
});

test('P-09 the size limit holds for bodies without a length and for what they expand to', async () => {
  const question = '{"actions":["s3:GetObject"],"resources":["*"]}';
  const padded = Buffer.from(question + ' '.repeat(2 * 1024 ** 2));
  for (const path of ['/v1/cwobject/auth/can-i', '/coreweave.cwobject.v1.CWObject/AuthCanI']) {
    const zipped = (text: string | Buffer) =>
      send('POST', path, new Uint8Array(gzipSync(text)), { 'content-encoding': 'gzip' });
    assert.equal((await zipped(question)).status, 200, path);
    assert.equal((await zipped(padded)).status, 400, path);
    const chunked = new ReadableStream({
      start(controller) {
        for (let at = 0; at < padded.length; at += 65_536) controller.enqueue(padded.subarray(at, at + 65_536));
        controller.close();
      },
    });
    const headers = { 'content-type': 'application/json', authorization: `Bearer ${home.adminToken}` };
    const response = await fetch(world.http1Url + path, {
      method: 'POST',
      headers,
      body: chunked,
      duplex: 'half',
    } as RequestInit);
    assert.equal(response.status, 400, path);
    await response.body?.cancel();
  }
});

test('P-10 numbers in query and body: only whole decimal ones in range', async () => {
  for (const value of [
    '-1',
    '0',
    '1.5',
    '1e3',
    '0x10',
    ' 5',
    '5 ',
    '+5',
    '1001',
    '4294967296',
    '18446744073709551616',
    '',
    'NaN',
    '٣',
  ]) {
    const limit = await send('GET', `/v1/cwobject/access-key?limit=${encodeURIComponent(value)}`);
    assert.deepEqual([limit.status, limit.code], [400, 'InvalidArgument'], `limit ${value}`);
    if (['0', '1001'].includes(value)) continue;
    const offset = await send('GET', `/v1/cwobject/bucket-info?offset=${encodeURIComponent(value)}`);
    assert.deepEqual([offset.status, offset.code], [400, 'InvalidArgument'], `offset ${value}`);
  }
  for (const text of [
    '-1',
    '1.5',
    '1e3',
    '"0x10"',
    '" 5"',
    '"1e3"',
    '43201',
    '4294967296',
    '18446744073709551616',
    '"18446744073709551616"',
    '""',
    'true',
    '[]',
    '{}',
    'null',
  ]) {
    const answer = await send('POST', '/v1/cwobject/access-key', `{"durationSeconds":${text}}`);
    assert.deepEqual([answer.status, answer.code], [400, 'InvalidArgument'], text);
  }
  assert.equal((await send('GET', '/v1/cwobject/access-key?limit=1&offset=0')).code, 'Ok');
  assert.equal((await send('POST', '/v1/cwobject/access-key', '{"duration_seconds":"900"}')).code, 'Ok');
});

test('P-10 unknown and repeated query parameters and bad percent-encoding are refused', async () => {
  for (const query of ['stats=ACTIVE', 'limit=1&limit=2', 'limit=%ff', 'status=NOPE', 'status=7', '%zz=1'])
    assert.equal((await send('GET', `/v1/cwobject/access-key?${query}`)).code, 'InvalidArgument', query);
  assert.equal((await send('GET', '/v1/cwobject/bucket-info/%ff')).code, 'InvalidArgument');
});

test('ALIVE: requests without a usable host, to rude targets, or cut short get an answer or a closed line', async () => {
  const { port, hostname } = new URL(world.http1Url);
  const raw = (text: string) =>
    new Promise<string>((resolve) => {
      const socket = connect(Number(port), hostname, () => socket.end(text));
      let received = '';
      socket.on('data', (chunk) => {
        received += chunk.toString();
      });
      socket.on('close', () => resolve(received));
      socket.on('error', () => resolve(received));
    });
  const body = 'content-type: application/json\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}';
  await raw(`POST /coreweave.cwobject.v1.CWObject/AuthCanI HTTP/1.0\r\n${body}`);
  const rude = await raw(`POST /coreweave.cwobject.v1.CWObject/AuthCanI HTTP/1.1\r\nhost: [\r\n${body}`);
  assert.match(rude, /^HTTP\/1\.1 [45]/);
  assert.match(await raw('GET //../..;%00 HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n'), /^HTTP\/1\.1 404/);
  await raw('POST /v1/cwobject/access-policy HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{');
  assert.equal((await send('GET', '/v1beta1/auth/whoami')).code, 'Ok');
  assert.deepEqual(world.unexpected, []);
});

test('HTTP/2: every kind of route answers, and a refused sender does not hold its stream', async () => {
  const session = connectHttp2(world.http2Url);
  const ask = (headers: Record<string, string>, body: Buffer | undefined) =>
    new Promise<{ status: number; text: string }>((resolve, reject) => {
      const stream = session.request(headers, { endStream: body === undefined });
      let status = 0;
      let text = '';
      stream.on('response', (head) => {
        status = Number(head[':status']);
      });
      stream.on('data', (chunk) => {
        text += chunk.toString();
      });
      stream.on('error', reject);
      stream.on('close', () => resolve({ status, text }));
      // Never ended: the server has to let go of it.
      if (body !== undefined) stream.write(body);
    });
  const authorization = `Bearer ${home.adminToken}`;
  const plain = await ask({ ':path': '/v1beta1/auth/whoami', authorization }, undefined);
  assert.deepEqual(JSON.parse(plain.text), { principal: { uid: home.adminId, orgUid: home.orgId } });
  const fast = await ask({ ':path': '/v1/cwobject/temporary-credentials/api-token', authorization }, undefined);
  assert.equal((JSON.parse(fast.text) as { Token: string }).Token, '');
  const large = Buffer.alloc(2 * 1024 ** 2, 0x20);
  const post = { ':method': 'POST', 'content-type': 'application/json' };
  assert.equal((await ask({ ...post, ':path': '/nothing' }, large)).status, 404);
  assert.equal((await ask({ ...post, ':path': '/v1/cwobject/auth/can-i' }, large)).status, 401);
  assert.equal((await ask({ ...post, ':path': '/v1/cwobject/auth/can-i', authorization }, large)).status, 400);
  session.close();
});
