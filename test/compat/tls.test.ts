import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { connect as connectTls } from 'node:tls';
import * as s3 from '@aws-sdk/client-s3';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { createClient, type Transport } from '@connectrpc/connect';
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from '@connectrpc/connect-node';
import * as grpc from '@grpc/grpc-js';
import { CWObject, type ListAccessPoliciesRequest, type ListAccessPoliciesResponse } from '../../sdk/index.ts';
import { inheritedEnvironment, startServer, type TestServer } from '../server.ts';
import { missing } from '../tools.ts';

/** Both doors with a certificate: ALPN on the API door, trailing checksums of SDK uploads on the S3 door. */
let directory: string;
let ca: Buffer;
let server: TestServer;

describe('TLS on both doors', { skip: missing('openssl', 'version') }, () => {
  before(async () => {
    directory = mkdtempSync(join(tmpdir(), 'sallyport-tls-'));
    const [cert, key] = [join(directory, 'cert.pem'), join(directory, 'key.pem')];
    const names = ['localhost', 'tls-virtual.localhost', 'boto-virtual.localhost'].map((name) => `DNS:${name}`);
    execFileSync(
      'openssl',
      [
        ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'],
        ...['-subj', '/CN=localhost', '-addext', `subjectAltName=${[...names, 'IP:127.0.0.1'].join(',')}`],
        ...['-keyout', key, '-out', cert],
      ],
      { stdio: 'ignore' },
    );
    ca = readFileSync(cert);
    server = await startServer({ tls: { cert, key } });
  });
  after(async () => {
    await server.stop();
    rmSync(directory, { recursive: true });
  });

  test('ALPN chooses HTTP/2 or HTTP/1.1 on the API door', async () => {
    const { port } = new URL(server.apiUrl);
    for (const [offered, chosen] of [
      [['h2', 'http/1.1'], 'h2'],
      [['http/1.1'], 'http/1.1'],
    ] as const) {
      const socket = connectTls({ host: '127.0.0.1', port: Number(port), ca, ALPNProtocols: [...offered] });
      await new Promise((resolve, reject) => socket.once('secureConnect', resolve).once('error', reject));
      assert.equal(socket.alpnProtocol, chosen);
      socket.destroy();
    }
  });

  test('P-12 what is no HTTP is answered on the API door, and the connection ends', async () => {
    const socket = connectTls({ host: '127.0.0.1', port: Number(new URL(server.apiUrl).port), ca });
    let text = '';
    socket.on('data', (piece) => {
      text += piece.toString('latin1');
    });
    socket.on('error', () => {});
    const closed = new Promise((resolve) => socket.once('close', resolve));
    socket.setTimeout(5000, () => socket.destroy());
    socket.write('NOT HTTP\r\n\r\n');
    await closed;
    assert.match(text, /^HTTP\/1\.1 400 [\s\S]*"code":3/);
  });

  test('Connect, gRPC and gRPC-Web over TLS', async () => {
    const baseUrl = server.apiUrl;
    const nodeOptions = { ca };
    const transports: Transport[] = [
      createConnectTransport({ baseUrl, httpVersion: '1.1', nodeOptions }),
      createConnectTransport({ baseUrl, httpVersion: '2', nodeOptions }),
      createGrpcTransport({ baseUrl, nodeOptions }),
      createGrpcWebTransport({ baseUrl, httpVersion: '1.1', nodeOptions }),
    ];
    const headers = { authorization: `Bearer ${server.apiToken}` };
    for (const transport of transports) {
      const { policies } = await createClient(CWObject, transport).listAccessPolicies({}, { headers });
      assert.equal(policies[0]?.name, 'bootstrap');
    }
    // Node takes no IP address as a TLS server name, and grpc-js always sends one.
    const options = { 'grpc.ssl_target_name_override': 'localhost' };
    const client = new grpc.Client(new URL(server.apiUrl).host, grpc.credentials.createSsl(ca), options);
    const { input, output, parent, name } = CWObject.method.listAccessPolicies;
    const metadata = new grpc.Metadata();
    metadata.set('authorization', headers.authorization);
    const answer = await new Promise<ListAccessPoliciesResponse | undefined>((resolve, reject) => {
      client.makeUnaryRequest(
        `/${parent.typeName}/${name}`,
        (message: ListAccessPoliciesRequest) => Buffer.from(toBinary(input, message)),
        (bytes) => fromBinary(output, bytes),
        create(input),
        metadata,
        (error, value) => (error ? reject(error) : resolve(value)),
      );
    });
    assert.equal(answer?.policies[0]?.name, 'bootstrap');
    client.close();
  });

  /** The exchange over https, as `fetch` cannot be told to trust one certificate. */
  function containerCredentials(): Promise<{ accessKeyId: string; secretAccessKey: string }> {
    const url = `${server.apiUrl}/v1/cwobject/temporary-credentials/api-token`;
    return new Promise((resolve, reject) => {
      const outgoing = request(url, { ca, headers: { authorization: `Bearer ${server.apiToken}` } }, async (answer) => {
        let body = '';
        for await (const chunk of answer) body += chunk;
        const { AccessKeyId, SecretAccessKey } = JSON.parse(body);
        resolve({ accessKeyId: AccessKeyId, secretAccessKey: SecretAccessKey });
      });
      outgoing.on('error', reject);
      outgoing.end();
    });
  }

  test('AWS SDK for JavaScript over TLS: unsigned payloads with trailing checksums', async () => {
    const client = new s3.S3Client({
      endpoint: server.s3Url,
      region: 'US-EAST-04A',
      forcePathStyle: true,
      credentials: await containerCredentials(),
      requestHandler: { httpsAgent: { ca } },
    });
    const Bucket = 'tls-bucket';
    await client.send(new s3.CreateBucketCommand({ Bucket }));
    for (const ChecksumAlgorithm of ['CRC32', 'CRC32C', 'CRC64NVME', 'SHA1', 'SHA256'] as const) {
      await client.send(new s3.PutObjectCommand({ Bucket, Key: 'k', Body: 'x'.repeat(200_000), ChecksumAlgorithm }));
      const got = await client.send(new s3.GetObjectCommand({ Bucket, Key: 'k', ChecksumMode: 'ENABLED' }));
      assert(got[`Checksum${ChecksumAlgorithm}`]);
      assert.equal((await got.Body?.transformToString())?.length, 200_000);
    }
    client.destroy();
  });

  const python = process.env.SALLYPORT_TEST_PYTHON;
  const skip = python === undefined ? 'set SALLYPORT_TEST_PYTHON, see python.test.ts' : false;

  test('boto3 over TLS: trailing checksums, every operation', { skip }, async () => {
    const { accessKeyId, secretAccessKey } = await containerCredentials();
    const certificate = join(directory, 'cert.pem');
    const child = spawn(python ?? '', [join(import.meta.dirname, 'python', 'boto3_round.py')], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        ...inheritedEnvironment(),
        // botocore's own fetch of container credentials trusts its own bundle only, whatever AWS_CA_BUNDLE says.
        AWS_ACCESS_KEY_ID: accessKeyId,
        AWS_SECRET_ACCESS_KEY: secretAccessKey,
        CREDENTIALS_FROM: 'env',
        AWS_CA_BUNDLE: certificate,
        SSL_CERT_FILE: certificate,
        AWS_CONFIG_FILE: '/dev/null',
        AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
        S3_URL: server.s3Url,
        ORG_ID: server.orgId,
        PRINCIPAL: server.principal,
      },
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        output += text;
      });
    }
    const code = await new Promise((resolve) => child.on('close', resolve));
    assert.equal(code, 0, output);
    assert.match(output, /^all ok$/m);
  });
});
