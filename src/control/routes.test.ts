import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { CWObject } from '../../proto/gen/coreweave/cwobject/v1/cwobject_pb.js';
import { FAST_EXCHANGE_PATH } from './fast-exchange.ts';
import { openApiDocument } from './openapi.ts';
import { openWorld, type Tenant, type World } from './test-support.ts';
import { type Caller, fetchJson, openCallers } from './test-support-clients.ts';

let world: World;
let home: Tenant;
let callers: readonly Caller[];

before(async () => {
  world = await openWorld({ apiTokenKeySeconds: 900 });
  home = await world.organization('home');
  callers = openCallers(world);
});
after(async () => {
  for (const caller of callers) caller.close();
  await world.close();
});

test('S-19 events name the client behind a trusted proxy, and believe nobody else', async () => {
  const proxied = await openWorld({ trustedProxies: ['127.0.0.1'] });
  const headers = { 'x-forwarded-for': '203.0.113.9, 198.51.100.7' };
  for (const [door, expected] of [
    [world, '127.0.0.1'],
    [proxied, '198.51.100.7'],
  ] as const) {
    await (await fetch(`${door.http1Url}/v1/cwobject/access-key`, { headers })).body?.cancel();
    assert.equal(door.calls.at(-1)?.sourceAddress, expected);
  }
  await proxied.close();
});

const get = (path: string, token?: string) =>
  fetch(world.http1Url + path, token === undefined ? {} : { headers: { authorization: token } });

test('K-09 without a token only liveness, readiness and the document; metrics need a right of their own', async () => {
  for (const path of ['/healthz', '/readyz', '/openapi.json']) assert.equal((await get(path)).status, 200, path);
  const reader = await home.member('metrics-reader', [], ['cwobject:GetMetrics']);
  const other = await home.member('no-metrics', ['iam-admin', 'platform-admin'], ['cwobject:List*', 's3:*']);
  assert.equal((await get('/metrics')).status, 401);
  assert.equal((await get('/metrics', `Bearer ${other.token}`)).status, 403);
  const metrics = await get('/metrics', `Bearer ${reader.token}`);
  assert.deepEqual([metrics.status, metrics.headers.get('content-type')], [200, 'text/plain; version=0.0.4']);
  assert.match(await metrics.text(), /sallyport_up 1/);
  for (const path of [
    '/debug/pprof',
    '/env',
    '/config',
    '/debug/vars',
    '/actuator/env',
    '/minio/health/live',
    '/.env',
    '/server-status',
    '/version',
  ])
    assert.equal((await get(path, `Bearer ${home.adminToken}`)).status, 404, path);
  for (const response of [await get('/healthz'), await get('/nothing'), await get('/metrics')]) {
    assert.equal(response.headers.get('server'), null);
    assert.equal(response.headers.get('x-powered-by'), null);
    assert.doesNotMatch(await response.text(), /node_modules|at .*\.ts|v?\d+\.\d+\.\d+/);
  }
});

test('readiness is told by status', async () => {
  world.setReady(false);
  assert.equal((await get('/readyz')).status, 503);
  assert.equal((await get('/healthz')).status, 200);
  world.setReady(true);
  assert.equal((await get('/readyz')).status, 200);
  assert.equal((await fetch(`${world.http1Url}/healthz`, { method: 'POST' })).status, 405);
});

test('API-token exchange: the container-credentials form, with and without Bearer, idempotent, 15 minutes as configured', async () => {
  const answers = await Promise.all([
    get(FAST_EXCHANGE_PATH, `Bearer ${home.adminToken}`),
    get(FAST_EXCHANGE_PATH, `bearer  ${home.adminToken}`),
    get(FAST_EXCHANGE_PATH, home.adminToken),
  ]);
  const bodies = await Promise.all(answers.map((answer) => answer.json() as Promise<Record<string, unknown>>));
  assert.deepEqual(
    answers.map(({ status }) => status),
    [200, 200, 200],
  );
  for (const body of bodies) assert.deepEqual(body, bodies[0]);
  const [body] = bodies;
  assert.deepEqual(Object.keys(body ?? {}), [
    'AccessKeyId',
    'SecretAccessKey',
    'Token',
    'Expiration',
    'attributes',
    'multiAttributes',
  ]);
  assert.deepEqual([body?.Token, body?.Expiration], ['', '2027-02-03T10:15:00Z']);
  assert.deepEqual([body?.attributes, body?.multiAttributes], [{}, {}]);
  const listed = await world.store.accessKeys.list(
    home.orgId,
    { aliveAt: world.clock.now() },
    { offset: 0, limit: 10 },
  );
  assert.equal(listed.length, 1);
});

test('API-token exchange: the fast path answers what the general path answers, refusals too', async () => {
  const fast = await fetchJson(world.http1Url + FAST_EXCHANGE_PATH, { headers: { authorization: home.adminToken } });
  // An empty query takes the general path.
  const general = await fetchJson(`${world.http1Url}${FAST_EXCHANGE_PATH}?`, {
    headers: { authorization: home.adminToken },
  });
  assert.deepEqual(general.body, fast.body);
  for (const caller of callers) {
    const outcome = await caller.call(CWObject.method.createAccessKeyFromApiToken, {}, home.adminToken);
    assert.equal(outcome.body?.AccessKeyId, fast.body?.AccessKeyId, caller.name);
  }
  const nobody = await home.member('no-exchange', [], ['cwobject:List*']);
  for (const authorization of [
    '',
    'Bearer',
    'Bearer x',
    `Bearer ${nobody.token}`,
    nobody.token,
    `Basic ${home.adminToken}`,
  ]) {
    const pair = [FAST_EXCHANGE_PATH, `${FAST_EXCHANGE_PATH}?`].map((path) =>
      fetchJson(world.http1Url + path, { headers: authorization === '' ? {} : { authorization } }),
    );
    const [first, second] = await Promise.all(pair);
    assert.ok(first?.status === 401 || first?.status === 403, authorization);
    assert.deepEqual(first, second, authorization);
  }
  assert.equal((await fetch(world.http1Url + FAST_EXCHANGE_PATH, { method: 'POST' })).status, 405);
});

test('API-token exchange: once seen it does not touch the store, and the deactivated user is out at once', async () => {
  const member = await home.member('storm', [], ['cwobject:CreateAccessKey']);
  const fetchOnce = () =>
    fetchJson(world.http1Url + FAST_EXCHANGE_PATH, { headers: { authorization: `Bearer ${member.token}` } });
  const first = await fetchOnce();
  const original = world.store.transact;
  Object.assign(world.store, { transact: () => Promise.reject(new Error('the store was asked')) });
  for (let turn = 0; turn < 100; turn += 1) assert.deepEqual((await fetchOnce()).body, first.body);
  Object.assign(world.store, { transact: original });
  await world.identity.updateUser(home.orgId, member.id, { active: false }, 'test');
  assert.equal((await fetchOnce()).status, 401);
});

test('OpenAPI: every method, the documented title, operation ids and security', async () => {
  const served = await fetchJson(`${world.http1Url}/openapi.json`);
  assert.deepEqual(served.body, JSON.parse(JSON.stringify(openApiDocument())));
  const document = served.body as unknown as {
    openapi: string;
    info: object;
    paths: Record<string, Record<string, { operationId: string; security?: object[] }>>;
    components: { schemas: Record<string, object> };
  };
  assert.equal(document.openapi, '3.0.3');
  assert.deepEqual(document.info, { title: 'CoreWeave AI Object Storage API', version: '0.0.1' });
  const operations = Object.values(document.paths).flatMap((path) => Object.values(path));
  const wanted = CWObject.methods.map((method) => `CWObject_${method.name}`);
  assert.deepEqual(operations.map(({ operationId }) => operationId).sort(), wanted.sort());
  assert.deepEqual(document.paths['/v1/cwobject/temporary-credentials/saml']?.post?.security, []);
  assert.deepEqual(document.paths['/v1/cwobject/temporary-credentials/oidc/{orgId}']?.get?.security, [
    { ContainerCredentialsAuth: [] },
  ]);
  const references = [...JSON.stringify(document).matchAll(/"#\/components\/schemas\/(\w+)"/g)].map(
    ([, name]) => name as string,
  );
  for (const name of references) assert.ok(document.components.schemas[name], name);
});
