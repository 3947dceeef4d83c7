import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import {
  create,
  type DescMessage,
  type DescMethodUnary,
  type DescService,
  fromBinary,
  type MessageInitShape,
  toBinary,
} from '@bufbuild/protobuf';
import { FileDescriptorProtoSchema } from '@bufbuild/protobuf/wkt';
import { type Client, Code, ConnectError, createClient, type Interceptor, type Transport } from '@connectrpc/connect';
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from '@connectrpc/connect-node';
import * as grpc from '@grpc/grpc-js';
import { BadRequestSchema, ResourceInfoSchema } from '../../proto/gen/google/rpc/error_details_pb.js';
import { StatusSchema } from '../../proto/gen/google/rpc/status_pb.js';
import { Health, HealthCheckResponse_ServingStatus } from '../../proto/gen/grpc/health/v1/health_pb.js';
import {
  type ServerReflectionRequest,
  ServerReflectionRequestSchema,
  type ServerReflectionResponse,
  ServerReflectionResponseSchema,
} from '../../proto/gen/grpc/reflection/v1/reflection_pb.js';
import { Admin, apiTokenCredentials, CWObject } from '../../sdk/index.ts';
import { startServer, type TestServer } from '../server.ts';
import { type Clients, everyMethod, refusedWith } from './every-method.ts';

/** Connect, gRPC and gRPC-Web clients, and @grpc/grpc-js, against one port. */
const BUCKET = 'rpc-bucket';
let server: TestServer;
let grpcJs: grpc.Client;

before(async () => {
  server = await startServer();
  grpcJs = new grpc.Client(new URL(server.apiUrl).host, grpc.credentials.createInsecure());
  const s3 = new S3Client({
    endpoint: server.s3Url,
    region: 'US-EAST-04A',
    forcePathStyle: true,
    credentials: apiTokenCredentials({ apiUrl: server.apiUrl, token: server.apiToken }),
  });
  await s3.send(new CreateBucketCommand({ Bucket: BUCKET }));
  s3.destroy();
});
after(async () => {
  grpcJs.close();
  await server.stop();
});

type TransportMaker = (baseUrl: string, interceptors: Interceptor[]) => Transport;

const TRANSPORTS: Readonly<Record<string, TransportMaker>> = {
  'connect json, HTTP/1.1': (baseUrl, interceptors) =>
    createConnectTransport({ baseUrl, interceptors, httpVersion: '1.1', useBinaryFormat: false }),
  'connect binary, HTTP/1.1': (baseUrl, interceptors) =>
    createConnectTransport({ baseUrl, interceptors, httpVersion: '1.1', useBinaryFormat: true }),
  'connect json, HTTP/2': (baseUrl, interceptors) =>
    createConnectTransport({ baseUrl, interceptors, httpVersion: '2', useBinaryFormat: false }),
  'connect binary, HTTP/2': (baseUrl, interceptors) =>
    createConnectTransport({ baseUrl, interceptors, httpVersion: '2', useBinaryFormat: true }),
  'grpc, HTTP/2': (baseUrl, interceptors) => createGrpcTransport({ baseUrl, interceptors }),
  'grpc-web, HTTP/1.1': (baseUrl, interceptors) =>
    createGrpcWebTransport({ baseUrl, interceptors, httpVersion: '1.1' }),
  'grpc-web, HTTP/2': (baseUrl, interceptors) => createGrpcWebTransport({ baseUrl, interceptors, httpVersion: '2' }),
};

function bearer(token: string): Interceptor {
  return (next) => (request) => {
    request.header.set('authorization', `Bearer ${token}`);
    return next(request);
  };
}

function connectClients(make: TransportMaker, token: string): Clients {
  const transport = make(server.apiUrl, [bearer(token)]);
  return { objects: createClient(CWObject, transport), admin: createClient(Admin, transport) };
}

const EVERY_METHOD = [...CWObject.methods, ...Admin.methods].map(({ localName }) => localName).sort();

for (const [name, make] of Object.entries(TRANSPORTS)) {
  test(`${name}: every method`, async () => {
    const called = await everyMethod(connectClients(make, server.apiToken), server, name, BUCKET);
    assert.deepEqual([...called].sort(), EVERY_METHOD);
  });

  test(`${name}: refusals carry code and details`, async () => {
    await refusals(connectClients(make, server.apiToken), connectClients(make, 'CW-SECRET-wrong'));
  });
}

async function refusals({ objects }: Clients, stranger: Clients): Promise<void> {
  await refusedWith(stranger.objects.listAccessPolicies({}), Code.Unauthenticated);
  await refusedWith(stranger.admin.whoAmI({}), Code.Unauthenticated);
  const missing = await refusedWith(objects.deleteAccessPolicy({ name: 'nö policy' }), Code.NotFound);
  assert.equal(missing.findDetails(ResourceInfoSchema)[0]?.resourceName, 'nö policy');
  const invalid = await refusedWith(objects.listBucketInfo({ limit: 0 }), Code.InvalidArgument);
  assert.equal(invalid.findDetails(BadRequestSchema)[0]?.fieldViolations[0]?.field, 'limit');
}

/** A client for @grpc/grpc-js with the shape of Connect's, so that the same round runs over it. */
function grpcJsClient<S extends DescService>(service: S, fullName: string, token: string): Client<S> {
  const metadata = new grpc.Metadata();
  metadata.set('authorization', `Bearer ${token}`);
  const methods = service.methods.map((method) => [
    method.localName,
    (init: MessageInitShape<DescMessage>) =>
      unary(`/${fullName}/${method.name}`, method as DescMethodUnary, init, metadata),
  ]);
  return Object.fromEntries(methods) as Client<S>;
}

function unary(
  path: string,
  method: DescMethodUnary,
  init: MessageInitShape<DescMessage>,
  metadata: grpc.Metadata,
): Promise<unknown> {
  return new Promise((resolve, reject) => {
    grpcJs.makeUnaryRequest(
      path,
      (message: MessageInitShape<DescMessage>) => Buffer.from(toBinary(method.input, create(method.input, message))),
      (bytes) => fromBinary(method.output, bytes),
      init,
      metadata,
      { deadline: Date.now() + 10_000 },
      (error, answer) => (error === null ? resolve(answer) : reject(asConnectError(error))),
    );
  });
}

/** Status and the details of `grpc-status-details-bin`, in the form that the assertions read. */
function asConnectError(error: grpc.ServiceError): ConnectError {
  const converted = new ConnectError(error.details, error.code as number as Code);
  const [bytes] = error.metadata.get('grpc-status-details-bin');
  if (bytes !== undefined) {
    const status = fromBinary(StatusSchema, Buffer.from(bytes));
    converted.details = status.details.map(({ typeUrl, value }) => ({
      type: typeUrl.slice(typeUrl.lastIndexOf('/') + 1),
      value,
    }));
  }
  return converted;
}

for (const packageName of ['coreweave.cwobject.v1', 'cwobject.v1']) {
  test(`@grpc/grpc-js, ${packageName}.CWObject: every method, and refusals`, async () => {
    const clients = (token: string): Clients => ({
      objects: grpcJsClient(CWObject, `${packageName}.CWObject`, token),
      admin: grpcJsClient(Admin, Admin.typeName, token),
    });
    const called = await everyMethod(clients(server.apiToken), server, packageName, BUCKET);
    assert.deepEqual([...called].sort(), EVERY_METHOD);
    await refusals(clients(server.apiToken), clients('CW-SECRET-wrong'));
  });
}

test('the second package name answers Connect too, and an unknown one is unimplemented', async () => {
  for (const [packageName, status] of [
    ['cwobject.v1', 200],
    ['cwobject.v2', 501],
  ] as const) {
    const answer = await fetch(`${server.apiUrl}/${packageName}.CWObject/ListAccessPolicies`, {
      method: 'POST',
      headers: { authorization: `Bearer ${server.apiToken}`, 'content-type': 'application/json' },
      body: '{}',
    });
    assert.equal(answer.status, status);
    const body = (await answer.json()) as { code: string; policies: { name: string }[] };
    if (status === 501) assert.equal(body.code, 'unimplemented');
    else assert.equal(body.policies[0]?.name, 'bootstrap');
  }
});

test('grpc-js: health of the server and of each service, once and watched', async () => {
  const check = Health.method.check;
  const none = new grpc.Metadata();
  const path = `/${Health.typeName}/Check`;
  for (const service of ['', CWObject.typeName, 'cwobject.v1.CWObject', Admin.typeName]) {
    const answer = (await unary(path, check, { service }, none)) as { status: number };
    assert.equal(answer.status, HealthCheckResponse_ServingStatus.SERVING, service);
  }
  await refusedWith(unary(path, check, { service: 'nobody' }, none), Code.NotFound);
  const { input, output } = Health.method.watch;
  const stream = grpcJs.makeServerStreamRequest(
    `/${Health.typeName}/Watch`,
    (message: MessageInitShape<typeof input>) => Buffer.from(toBinary(input, create(input, message))),
    (bytes) => fromBinary(output, bytes),
    { service: '' },
  );
  const first = await new Promise<{ status: number }>((resolve, reject) => {
    stream.once('data', resolve);
    stream.once('error', reject);
  });
  assert.equal(first.status, HealthCheckResponse_ServingStatus.SERVING);
  stream.on('error', () => {});
  stream.cancel();
});

for (const version of ['v1', 'v1alpha'] as const) {
  test(`grpc-js: reflection ${version} lists the services and serves files that describe every method`, async () => {
    const listed = await reflect(version, { case: 'listServices', value: '' });
    assert(listed.messageResponse.case === 'listServicesResponse');
    const names = listed.messageResponse.value.service.map(({ name }) => name);
    for (const name of [CWObject.typeName, 'cwobject.v1.CWObject', Admin.typeName, Health.typeName]) {
      assert(names.includes(name), name);
    }
    for (const service of [CWObject, Admin]) {
      const answer = await reflect(version, { case: 'fileContainingSymbol', value: service.typeName });
      assert(answer.messageResponse.case === 'fileDescriptorResponse');
      const files = answer.messageResponse.value.fileDescriptorProto.map((bytes) =>
        fromBinary(FileDescriptorProtoSchema, bytes),
      );
      const described = files.flatMap((file) => file.service).find(({ name }) => name === service.name);
      assert.deepEqual(
        described?.method.map(({ name }) => name),
        service.methods.map(({ name }) => name),
      );
      const known = new Set(files.map(({ name }) => name));
      for (const file of files) for (const needed of file.dependency) assert(known.has(needed), needed);
    }
    const unknown = await reflect(version, { case: 'fileContainingSymbol', value: 'no.such.Symbol' });
    assert.equal(unknown.messageResponse.case, 'errorResponse');
  });
}

function reflect(
  version: 'v1' | 'v1alpha',
  messageRequest: ServerReflectionRequest['messageRequest'],
): Promise<ServerReflectionResponse> {
  const stream = grpcJs.makeBidiStreamRequest(
    `/grpc.reflection.${version}.ServerReflection/ServerReflectionInfo`,
    (message: ServerReflectionRequest) => Buffer.from(toBinary(ServerReflectionRequestSchema, message)),
    (bytes) => fromBinary(ServerReflectionResponseSchema, bytes),
  );
  return new Promise((resolve, reject) => {
    stream.once('data', resolve);
    stream.once('error', reject);
    stream.write(create(ServerReflectionRequestSchema, { messageRequest }));
    stream.end();
  });
}
