import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { Code, ConnectError, type ConnectRouter } from '@connectrpc/connect';
import { connectNodeAdapter } from '@connectrpc/connect-node';
import { BadRequestSchema, ResourceInfoSchema } from '../proto/gen/google/rpc/error_details_pb.js';
import { Admin, apiTokenCredentials, CWObject, createClient, SallyportError } from './index.ts';

const HOUR = 3_600_000;
const START = Date.UTC(2027, 0, 1);

/** A small Connect server over a real socket; `exchange` is what the token exchange does next. */
let server: Server;
let apiUrl = '';
let exchanges = 0;
let exchange: () => { accessKeyId: string; expiration: number } = () => ({ accessKeyId: 'CW0', expiration: START });

function routes(router: ConnectRouter): void {
  router.service(CWObject, {
    authCanI: (request, context) => ({
      verdict: context.requestHeader.get('authorization') === `Bearer ${request.actions[0]}`,
    }),
    deleteAccessPolicy: ({ name }) => {
      throw new ConnectError(`there is no policy ${name}`, Code.NotFound, undefined, [
        { desc: ResourceInfoSchema, value: { resourceType: 'access policy', resourceName: name } },
      ]);
    },
    createAccessKeyFromJWT: () => {
      throw new ConnectError('durationSeconds: too long', Code.InvalidArgument, undefined, [
        { desc: BadRequestSchema, value: { fieldViolations: [{ field: 'durationSeconds', description: 'too long' }] } },
      ]);
    },
    createAccessKeyFromApiToken: () => {
      exchanges++;
      const { accessKeyId, expiration } = exchange();
      return { accessKeyId, secretAccessKey: 'secret', expiration: timestampFromMs(expiration) };
    },
    listAccessPolicies: () => new Promise(() => {}),
  });
  router.service(Admin, { whoAmI: () => ({ user: { id: 'u1' } }) });
}

before(async () => {
  server = createServer(connectNodeAdapter({ routes }));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  apiUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
after(() => {
  server.closeAllConnections();
  server.close();
});

test('both services answer, and the token travels as Bearer', async () => {
  const client = createClient({ apiUrl, token: 'CW-SECRET-a' });
  assert.equal((await client.objects.authCanI({ actions: ['CW-SECRET-a'] })).verdict, true);
  assert.equal((await client.objects.authCanI({ actions: ['CW-SECRET-b'] })).verdict, false);
  assert.equal((await client.admin.whoAmI({})).user?.id, 'u1');
});

test('a refusal carries code, message and readable details', async () => {
  const { objects } = createClient({ apiUrl, token: 'CW-SECRET-a' });
  await assert.rejects(objects.deleteAccessPolicy({ name: 'p' }), (error: unknown) => {
    assert(error instanceof SallyportError);
    assert.equal(error.code, 'not_found');
    assert.equal(error.message, 'there is no policy p');
    assert.equal(error.unreachable, false);
    assert.deepEqual(error.details, [{ type: 'ResourceInfo', subject: 'access policy p', description: '' }]);
    return true;
  });
  await assert.rejects(objects.createAccessKeyFromJWT({}), (error: unknown) => {
    assert(error instanceof SallyportError);
    assert.equal(error.code, 'invalid_argument');
    assert.deepEqual(error.details, [{ type: 'BadRequest', subject: 'durationSeconds', description: 'too long' }]);
    return true;
  });
});

test('a server that is not there, or does not answer in time, is unreachable', async () => {
  const gone = createServer().listen(0, '127.0.0.1');
  await once(gone, 'listening');
  const goneUrl = `http://127.0.0.1:${(gone.address() as AddressInfo).port}`;
  await new Promise((resolve) => gone.close(resolve));
  const closed = createClient({ apiUrl: goneUrl, token: 'CW-SECRET-a' });
  await assert.rejects(closed.admin.whoAmI({}), (error: unknown) => {
    assert(error instanceof SallyportError);
    assert.equal(error.unreachable, true);
    assert.match(error.message, /^cannot reach http:\/\/127\.0\.0\.1:\d+: .*ECONNREFUSED/);
    return true;
  });
  const slow = createClient({ apiUrl, token: 'CW-SECRET-a', timeoutMs: 50 });
  await assert.rejects(slow.objects.listAccessPolicies({}), { code: 'deadline_exceeded', unreachable: true });
});

test('the credential provider makes one exchange for many callers and renews five minutes before the end', async () => {
  exchanges = 0;
  let now = START;
  const provider = apiTokenCredentials({ apiUrl, token: 'CW-SECRET-a', now: () => now });
  exchange = () => ({ accessKeyId: 'CW1', expiration: START + HOUR });
  const first = await Promise.all(Array.from({ length: 50 }, () => provider()));
  assert.equal(exchanges, 1);
  assert(first.every(({ accessKeyId }) => accessKeyId === 'CW1'));
  assert.equal(first[0]?.expiration.getTime(), START + HOUR);
  now = START + HOUR - 5 * 60_000 - 1;
  await provider();
  assert.equal(exchanges, 1);
  now += 1;
  exchange = () => ({ accessKeyId: 'CW2', expiration: START + 2 * HOUR });
  assert.equal((await provider()).accessKeyId, 'CW2');
  assert.equal(exchanges, 2);
});

test('the credential provider lives through a failing exchange while its key works, and no longer', async () => {
  exchanges = 0;
  let now = START;
  const provider = apiTokenCredentials({ apiUrl, token: 'CW-SECRET-a', now: () => now });
  exchange = () => {
    throw new ConnectError('try later', Code.Unavailable);
  };
  await assert.rejects(provider(), { code: 'unavailable' });
  exchange = () => ({ accessKeyId: 'CW1', expiration: START + HOUR });
  await provider();
  exchange = () => {
    throw new ConnectError('try later', Code.Unavailable);
  };
  now = START + HOUR - 60_000;
  assert.equal((await provider()).accessKeyId, 'CW1');
  await provider();
  assert.equal(exchanges, 3, 'not asked again at once');
  now += 15_000;
  await provider();
  assert.equal(exchanges, 4);
  now = START + HOUR;
  await assert.rejects(provider(), { code: 'unavailable' });
});
