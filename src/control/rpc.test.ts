import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { create, createFileRegistry, fromBinary } from '@bufbuild/protobuf';
import { FileDescriptorProtoSchema, FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import { Code, ConnectError, createClient } from '@connectrpc/connect';
import {
  compressionGzip,
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
} from '@connectrpc/connect-node';
import { Client, credentials } from '@grpc/grpc-js';
import {
  type AccessKeyStatus,
  CWObject,
  SetBucketSettingsRequestSchema,
} from '../../proto/gen/coreweave/cwobject/v1/cwobject_pb.js';
import { BadRequestSchema, ResourceInfoSchema } from '../../proto/gen/google/rpc/error_details_pb.js';
import { Health, HealthCheckResponse_ServingStatus as Status } from '../../proto/gen/grpc/health/v1/health_pb.js';
import { ServerReflection } from '../../proto/gen/grpc/reflection/v1/reflection_pb.js';
import { ServerReflection as Alpha } from '../../proto/gen/grpc/reflection/v1alpha/reflection_pb.js';
import { openWorld, type Tenant, type World } from './test-support.ts';

let world: World;
let home: Tenant;

before(async () => {
  world = await openWorld();
  home = await world.organization('home');
});
after(() => world.close());

const auth = () => ({ authorization: `Bearer ${home.adminToken}` });
const transports = () => ({
  'connect json': createConnectTransport({ baseUrl: world.http1Url, httpVersion: '1.1', useBinaryFormat: false }),
  'connect binary': createConnectTransport({ baseUrl: world.http2Url, httpVersion: '2' }),
  grpc: createGrpcTransport({ baseUrl: world.http2Url }),
  'grpc-web': createGrpcWebTransport({ baseUrl: world.http1Url, httpVersion: '1.1' }),
});

test('errors carry details over every RPC protocol', async () => {
  for (const [name, transport] of Object.entries(transports())) {
    const client = createClient(CWObject, transport);
    const missing = await client.deleteAccessPolicy({ name: 'none' }, { headers: auth() }).catch(ConnectError.from);
    assert.ok(missing instanceof ConnectError);
    assert.equal(missing.findDetails(ResourceInfoSchema)[0]?.resourceName, 'none', name);
    assert.match(missing.metadata.get('x-request-id') ?? '', /^[0-9a-f]{12}-/, name);
    const invalid = await client.createAccessKeyFromJWT({}, { headers: auth() }).catch(ConnectError.from);
    assert.ok(invalid instanceof ConnectError);
    assert.equal(invalid.findDetails(BadRequestSchema)[0]?.fieldViolations[0]?.field, 'durationSeconds', name);
  }
});

test('an enum number that the schema does not have is refused', async () => {
  for (const [name, transport] of Object.entries(transports()).filter(([key]) => key !== 'connect json')) {
    const client = createClient(CWObject, transport);
    const call = client.listAccessKeyInfo({ status: 9 as AccessKeyStatus }, { headers: auth() });
    await assert.rejects(call, (error) => ConnectError.from(error).code === Code.InvalidArgument, name);
  }
});

test('something unexpected is internal with a request id, and its text stays inside', async () => {
  const broken = { ...world.ports.store.policies };
  for (const [name, transport] of Object.entries(transports())) {
    world.unexpected.length = 0;
    const original = world.store.policies.list;
    Object.assign(world.store.policies, { list: () => Promise.reject(new Error('password=hunter2')) });
    const failure = await createClient(CWObject, transport)
      .listAccessPolicies({}, { headers: auth() })
      .catch(ConnectError.from);
    Object.assign(world.store.policies, { list: original });
    assert.ok(failure instanceof ConnectError && failure.code === Code.Internal, name);
    assert.match(failure.rawMessage, /request [0-9a-f]{12}-[0-9a-f]{8}/);
    assert.ok(!failure.rawMessage.includes('hunter2'));
    assert.equal((world.unexpected[0] as Error).message, 'password=hunter2');
  }
  assert.ok(broken);
  world.unexpected.length = 0;
});

test('P-09 messages over 1 MiB, plain or compressed, are refused and the server lives', async () => {
  const large = { policy: { name: ' '.repeat(2 * 1024 ** 2) } };
  for (const sendCompression of [null, compressionGzip]) {
    const options = sendCompression === null ? {} : { sendCompression };
    const all = {
      connect: createConnectTransport({ baseUrl: world.http1Url, httpVersion: '1.1', ...options }),
      'connect json': createConnectTransport({
        baseUrl: world.http1Url,
        httpVersion: '1.1',
        useBinaryFormat: false,
        ...options,
      }),
      grpc: createGrpcTransport({ baseUrl: world.http2Url, ...options }),
      'grpc-web': createGrpcWebTransport({ baseUrl: world.http1Url, httpVersion: '1.1', ...options }),
    };
    for (const [name, transport] of Object.entries(all)) {
      const failure = await createClient(CWObject, transport)
        .ensureAccessPolicy(large, { headers: auth() })
        .catch(ConnectError.from);
      assert.ok(failure instanceof ConnectError, name);
      assert.ok([Code.ResourceExhausted, Code.InvalidArgument].includes(failure.code), `${name}: ${failure.message}`);
    }
  }
  const raw = await fetch(`${world.http1Url}/${CWObject.typeName}/AuthCanI`, {
    method: 'POST',
    headers: { ...auth(), 'content-type': 'application/proto', 'content-encoding': 'gzip' },
    body: gzipSync(Buffer.alloc(32 * 1024 ** 2)),
  });
  assert.ok([400, 429].includes(raw.status));
  assert.deepEqual(world.unexpected, []);
});

test('garbage in place of a message is an error of the protocol, not of the server', async () => {
  for (const type of [
    'application/proto',
    'application/json',
    'application/grpc-web+proto',
    'application/grpc',
    'text/plain',
    'application/connect+json',
  ]) {
    const response = await fetch(`${world.http1Url}/${CWObject.typeName}/AuthCanI`, {
      method: 'POST',
      headers: { ...auth(), 'content-type': type },
      body: Uint8Array.of(0xff, 0xfe, 1, 2, 3),
    });
    assert.ok(response.status < 500, `${type}: ${response.status}`);
    await response.body?.cancel();
  }
  assert.deepEqual(world.unexpected, []);
});

test('deadlines are kept: a slow store does not hold the caller', async () => {
  const original = world.store.policies.list;
  let release = (): void => {};
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  for (const [name, transport] of Object.entries(transports())) {
    Object.assign(world.store.policies, { list: () => held.then(() => []) });
    const call = createClient(CWObject, transport).listAccessPolicies({}, { headers: auth(), timeoutMs: 50 });
    const failure = await call.catch(ConnectError.from);
    Object.assign(world.store.policies, { list: original });
    assert.ok(failure instanceof ConnectError && failure.code === Code.DeadlineExceeded, name);
  }
  release();
});

test('gRPC: unknown methods and services are unimplemented', async () => {
  const client = new Client(world.http2Url.replace('http://', ''), credentials.createInsecure());
  const call = (path: string) =>
    new Promise<number | undefined>((resolve) => {
      const identity = (bytes: Buffer) => bytes;
      client.makeUnaryRequest(path, identity, identity, Buffer.alloc(0), (error) => resolve(error?.code));
    });
  assert.equal(await call(`/${CWObject.typeName}/Nothing`), Code.Unimplemented);
  assert.equal(await call('/other.v1.Service/Get'), Code.Unimplemented);
  assert.equal(await call('/cwobject.v1.CWObject/ListBucketInfo'), Code.Unauthenticated);
  client.close();
});

test('health: check, list and watch without a token, following readiness', async () => {
  for (const transport of [
    createGrpcTransport({ baseUrl: world.http2Url }),
    createConnectTransport({ baseUrl: world.http2Url, httpVersion: '2' }),
  ]) {
    const client = createClient(Health, transport);
    assert.equal((await client.check({})).status, Status.SERVING);
    assert.equal((await client.check({ service: 'cwobject.v1.CWObject' })).status, Status.SERVING);
    await assert.rejects(client.check({ service: 'no.Such' }), { code: Code.NotFound });
    assert.ok('sallyport.admin.v1.Admin' in (await client.list({})).statuses);
    const stop = new AbortController();
    const seen: Status[] = [];
    try {
      for await (const { status } of client.watch({}, { signal: stop.signal })) {
        seen.push(status);
        if (seen.length === 1) world.setReady(false);
        if (seen.length === 2) world.setReady(true);
        if (seen.length === 3) stop.abort();
      }
    } catch (error) {
      assert.equal(ConnectError.from(error).code, Code.Canceled);
    }
    assert.deepEqual(seen, [Status.SERVING, Status.NOT_SERVING, Status.SERVING]);
  }
});

test('reflection: both protocol versions describe both package names well enough to build a client', async () => {
  const transport = createGrpcTransport({ baseUrl: world.http2Url });
  for (const service of [ServerReflection, Alpha]) {
    const client = createClient(service as typeof ServerReflection, transport);
    const ask = async (messageRequest: object) => {
      async function* one() {
        yield { host: 'h', messageRequest } as never;
      }
      for await (const answer of client.serverReflectionInfo(one())) return answer.messageResponse;
      throw new Error('no answer');
    };
    const list = await ask({ case: 'listServices', value: '' });
    assert.ok(list?.case === 'listServicesResponse');
    const names = list.value.service.map(({ name }) => name);
    assert.deepEqual(names, [...names].sort());
    for (const name of ['coreweave.cwobject.v1.CWObject', 'cwobject.v1.CWObject', 'sallyport.admin.v1.Admin']) {
      assert.ok(names.includes(name));
      const answer = await ask({ case: 'fileContainingSymbol', value: name });
      assert.ok(answer?.case === 'fileDescriptorResponse');
      const file = answer.value.fileDescriptorProto.map((bytes) => fromBinary(FileDescriptorProtoSchema, bytes));
      const registry = createFileRegistry(create(FileDescriptorSetSchema, { file: file.reverse() }));
      assert.ok((registry.getService(name)?.methods.length ?? 0) >= 13);
    }
    const registryOf = await ask({ case: 'fileContainingSymbol', value: 'cwobject.v1.SetBucketSettingsRequest' });
    assert.ok(registryOf?.case === 'fileDescriptorResponse');
    const missing = await ask({ case: 'fileByFilename', value: 'etc/passwd' });
    assert.ok(missing?.case === 'errorResponse' && missing.value.errorCode === Code.NotFound);
    const http = await ask({
      case: 'fileContainingExtension',
      value: { containingType: 'google.protobuf.MethodOptions', extensionNumber: 72295728 },
    });
    assert.equal(http?.case, 'fileDescriptorResponse');
    const numbers = await ask({ case: 'allExtensionNumbersOfType', value: 'google.protobuf.MethodOptions' });
    assert.ok(numbers?.case === 'allExtensionNumbersResponse' && numbers.value.extensionNumber.includes(72295728));
  }
  assert.equal(SetBucketSettingsRequestSchema.typeName, 'coreweave.cwobject.v1.SetBucketSettingsRequest');
});
