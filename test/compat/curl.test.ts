import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { CWObject, createClient } from '../../sdk/index.ts';
import { inheritedEnvironment, startServer, type TestServer } from '../server.ts';
import { missing } from '../tools.ts';

/** curl for every HTTP/JSON endpoint, success and refusal with the whole body, and curl's own SigV4 for S3. */
let server: TestServer;
let directory: string;
let accessKey = { accessKeyId: '', secretKey: '' };

describe('curl', { skip: missing('curl') }, () => {
  before(async () => {
    server = await startServer();
    directory = await mkdtemp(join(tmpdir(), 'sallyport-curl-'));
    const { objects } = createClient({ apiUrl: server.apiUrl, token: server.apiToken });
    accessKey = await objects.createAccessKeyFromJWT({ durationSeconds: 3600 });
  });
  after(async () => {
    await rm(directory, { recursive: true, force: true });
    await server.stop();
  });

  interface Answer {
    readonly status: number;
    readonly headers: Readonly<Record<string, string>>;
    readonly body: string;
  }

  async function curl(...args: readonly string[]): Promise<Answer> {
    const headersFile = join(directory, 'headers');
    const child = spawn('curl', ['-sS', '--noproxy', '*', '--max-time', '20', '-D', headersFile, ...args], {
      env: inheritedEnvironment(),
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let body = '';
    let problem = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      body += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      problem += text;
    });
    const code = await new Promise((resolve, reject) => child.on('close', resolve).on('error', reject));
    assert.equal(code, 0, `curl: ${problem}`);
    // The last block: an interim 100 Continue has one of its own.
    const block = (await readFile(headersFile, 'utf8')).trimEnd().split('\r\n\r\n').at(-1) ?? '';
    const [statusLine = '', ...lines] = block.split('\r\n');
    const headers = lines.map((line) => [
      line.slice(0, line.indexOf(':')).toLowerCase(),
      line.slice(line.indexOf(':') + 2),
    ]);
    return { status: Number(statusLine.split(' ')[1]), headers: Object.fromEntries(headers), body };
  }

  function api(method: string, path: string, body?: unknown, token = server.apiToken): Promise<Answer> {
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    return curl(
      ...['-X', method, `${server.apiUrl}${path}`],
      ...(token === '' ? [] : ['-H', `Authorization: Bearer ${token}`]),
      ...(body === undefined ? [] : ['-H', 'Content-Type: application/json', '--data-binary', text]),
    );
  }

  // biome-ignore lint/suspicious/noExplicitAny: the documented JSON is what is asserted
  async function success(method: string, path: string, body?: unknown): Promise<any> {
    const answer = await api(method, path, body);
    assert.equal(answer.status, 200, answer.body);
    assert.equal(answer.headers['content-type'], 'application/json');
    return JSON.parse(answer.body);
  }

  async function refused(answer: Promise<Answer>, status: number, expected: object): Promise<void> {
    const { status: found, body, headers } = await answer;
    assert.deepEqual([found, JSON.parse(body)], [status, expected]);
    assert.equal(headers['content-type'], 'application/json');
  }

  const invalid = (field: string, description: string) => ({
    code: 3,
    message: `${field}: ${description}`,
    details: [{ '@type': 'type.googleapis.com/google.rpc.BadRequest', fieldViolations: [{ field, description }] }],
  });

  test('access keys over HTTP/JSON', async () => {
    const made = await success('POST', '/v1/cwobject/access-key', {
      durationSeconds: 900,
      attributes: { name: 'nightly-export' },
    });
    assert.deepEqual(Object.keys(made), ['accessKeyId', 'secretKey', 'principalName', 'expiry', 'attributes']);
    assert.match(made.expiry, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
    assert.equal(made.principalName, server.principal);
    const permanent = await success('POST', '/v1/cwobject/access-key', { durationSeconds: 0 });
    assert.equal(permanent.expiry, '1970-01-01T00:00:00Z');

    const info = {
      accessKeyId: made.accessKeyId,
      status: 'ACCESS_KEY_STATUS_ACTIVE',
      principalName: server.principal,
      attributes: { name: 'nightly-export' },
      expiry: made.expiry,
      orgId: server.orgId,
      multiAttributes: {},
    };
    assert.deepEqual(await success('GET', `/v1/cwobject/access-key/${made.accessKeyId}`), { info });
    const listed = await success('GET', '/v1/cwobject/access-key?limit=1000&offset=0&status=ACCESS_KEY_STATUS_ACTIVE');
    assert.deepEqual(
      listed.info.find((one: { accessKeyId: string }) => one.accessKeyId === made.accessKeyId),
      info,
    );
    const short = await success('GET', '/v1/cwobject/access-key?limit=1');
    assert.equal(short.info.length, 1);

    const other = 'role/https://idp.test.example:svc';
    for (const status of ['ACCESS_KEY_STATUS_SUSPENDED', 'ACTIVE', 'SUSPENDED', 1]) {
      const answer = await success('PUT', '/v1/cwobject/access-key-status', { principalName: other, status });
      assert.deepEqual(answer, {});
    }
    assert.deepEqual(
      await success('POST', '/v1/cwobject/revoke-access-key/access-key', { accessKey: made.accessKeyId }),
      {},
    );
    assert.deepEqual(await success('POST', '/v1/cwobject/revoke-access-key/principal', { principalName: other }), {});

    await refused(
      api('POST', '/v1/cwobject/access-key', {}),
      400,
      invalid('durationSeconds', 'is required; 0 makes a permanent key'),
    );
    await refused(api('GET', '/v1/cwobject/access-key?limit=0'), 400, invalid('limit', 'must be 1 to 1000'));
    await refused(api('GET', '/v1/cwobject/access-key/CWAAAAAAAAAAAAAA'), 404, {
      code: 5,
      message: 'there is no such access key in this organization',
      details: [],
    });
    await refused(
      api('PUT', '/v1/cwobject/access-key-status', { principalName: other }),
      400,
      invalid('status', 'must be ACCESS_KEY_STATUS_ACTIVE or ACCESS_KEY_STATUS_SUSPENDED'),
    );
    await refused(
      api('POST', '/v1/cwobject/revoke-access-key/access-key', {}),
      400,
      invalid('accessKey', 'is required: the access key ID'),
    );
    await refused(
      api('POST', '/v1/cwobject/revoke-access-key/principal', {}),
      400,
      invalid('principalName', 'is required'),
    );
  });

  test('policies and can-i over HTTP/JSON', async () => {
    const policy = {
      version: 'v1alpha1',
      name: 'team readers ü',
      statements: [
        {
          name: 'read two buckets',
          effect: 'Allow',
          actions: ['s3:GetObject', 's3:ListBucket'],
          resources: ['lab-a', 'lab-a/*'],
          principals: ['coreweave/u7Kq2ExampleUid'],
        },
      ],
    };
    await success('POST', '/v1/cwobject/access-policy', { policy });
    const { policies } = await success('GET', '/v1/cwobject/access-policy');
    assert.deepEqual(
      policies.find((one: { name: string }) => one.name === policy.name),
      policy,
    );
    await success('DELETE', `/v1/cwobject/access-policy/${encodeURIComponent(policy.name)}`);
    await refused(api('DELETE', '/v1/cwobject/access-policy/none'), 404, {
      code: 5,
      message: 'no access policy of this name',
      details: [
        {
          '@type': 'type.googleapis.com/google.rpc.ResourceInfo',
          resourceType: 'access policy',
          resourceName: 'none',
          description: 'no access policy of this name',
        },
      ],
    });
    await refused(
      api('POST', '/v1/cwobject/access-policy', {}),
      400,
      invalid('policy', 'is required; the document goes inside it'),
    );
    assert.deepEqual(
      await success('POST', '/v1/cwobject/auth/can-i', { actions: ['s3:GetObject'], resources: ['*'] }),
      {
        verdict: true,
      },
    );
    assert.deepEqual(await success('POST', '/v1/cwobject/auth/can-i', { actions: ['ec2:Run'], resources: ['*'] }), {
      verdict: false,
    });
    await refused(
      api('POST', '/v1/cwobject/auth/can-i', { resources: ['*'] }),
      400,
      invalid('actions', 'at least one is required'),
    );
  });

  test('buckets and settings over HTTP/JSON', async () => {
    assert.equal((await s3('PUT', '/curl-info')).status, 200);
    const set = await success('PUT', '/v1/cwobject/bucket/settings', {
      bucketName: 'curl-info',
      settings: { auditLoggingEnabled: false, capacityCapBytes: '9007199254740993' },
    });
    assert.deepEqual(set, {
      settings: { auditLoggingEnabled: false, configuredCapacityCapBytes: '9007199254740993' },
    });
    const { info } = await success('GET', '/v1/cwobject/bucket-info/curl-info');
    assert.deepEqual([info.orgId, info.name, info.location], [server.orgId, 'curl-info', 'US-EAST-04A']);
    assert.deepEqual(info.settings, set.settings);
    for (const usage of info.usage) assert.equal(typeof usage.value, 'string', '64-bit numbers are strings');
    const listed = await success('GET', '/v1/cwobject/bucket-info?limit=10');
    assert.deepEqual(listed.info, [info]);
    const organization = { controlPlaneAuditLoggingEnabled: true, bucketAuditLoggingEnabled: false };
    const answer = await success('PUT', '/v1/cwobject/organization/settings', { settings: organization });
    assert.deepEqual(answer, { settings: organization });

    await refused(api('GET', '/v1/cwobject/bucket-info/none'), 404, {
      code: 5,
      message: 'no such bucket in this organization',
      details: [
        {
          '@type': 'type.googleapis.com/google.rpc.ResourceInfo',
          resourceType: 'bucket',
          resourceName: 'none',
          description: 'no such bucket in this organization',
        },
      ],
    });
    await refused(api('GET', '/v1/cwobject/bucket-info?limit=1001'), 400, invalid('limit', 'must be 1 to 1000'));
    await refused(
      api('PUT', '/v1/cwobject/bucket/settings', { bucketName: 'curl-info' }),
      400,
      invalid('settings', 'is required'),
    );
    await refused(api('PUT', '/v1/cwobject/organization/settings', {}), 400, invalid('settings', 'is required'));
  });

  test('exchanges over HTTP/JSON', async () => {
    const path = '/v1/cwobject/temporary-credentials/api-token';
    const first = await success('GET', path);
    assert.deepEqual(Object.keys(first), [
      'AccessKeyId',
      'SecretAccessKey',
      'Token',
      'Expiration',
      'attributes',
      'multiAttributes',
    ]);
    assert.equal(first.Token, '');
    assert.match(first.Expiration, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
    const raw = await curl(`${server.apiUrl}${path}`, '-H', `Authorization: ${server.apiToken}`);
    assert.deepEqual(JSON.parse(raw.body), first, 'the token alone is accepted, and the key is the same');
    assert.equal(raw.headers['cache-control'], 'no-store');
    await refused(api('GET', path, undefined, 'CW-SECRET-wrong'), 401, {
      code: 16,
      message: 'the API access token is not valid: send Authorization: Bearer with a current token of an active user',
      details: [],
    });
    const later = { code: 12, message: 'this method is not served here yet', details: [] };
    const exchanges = '/v1/cwobject/temporary-credentials';
    await refused(
      api('POST', `${exchanges}/saml`, { orgId: 'a', samlResponse: 'eA==', durationSeconds: 900 }, ''),
      501,
      later,
    );
    await refused(
      api('POST', `${exchanges}/oidc`, { orgId: 'a', oidcToken: 'a.b.c', durationSeconds: 900 }, ''),
      501,
      later,
    );
    const jwt = curl(`${server.apiUrl}${exchanges}/oidc/${server.orgId}`, '-H', 'Authorization: a.b.c');
    await refused(jwt, 501, later);
  });

  test('a bad request of each kind gets its Status, and the server goes on', async () => {
    const path = '/v1/cwobject/auth/can-i';
    const bad = (body: string) => api('POST', path, body);
    const problem = async (answer: Promise<Answer>, status: number, code: number, message: RegExp) => {
      const { status: found, body } = await answer;
      const parsed = JSON.parse(body);
      assert.deepEqual([found, parsed.code, Object.keys(parsed)], [status, code, ['code', 'message', 'details']], body);
      assert.match(parsed.message, message);
    };
    await problem(bad('{'), 400, 3, /position|character|end/i);
    await problem(bad('{"actions":["a"],"actions":["b"],"resources":["*"]}'), 400, 3, /twice/);
    await problem(bad('{"actions":["a"],"resources":["*"],"more":1}'), 400, 3, /more/);
    await problem(bad('{"actions":"a","resources":["*"]}'), 400, 3, /actions/);
    await problem(bad(`${'['.repeat(100)}${']'.repeat(100)}`), 400, 3, /deep/);
    await problem(bad('[]'), 400, 3, /object/);
    await problem(bad('"\ud800"'), 400, 3, /./);
    const large = join(directory, 'large.json');
    await writeFile(large, `{"actions":["${'a'.repeat(2 * 1024 ** 2)}"]}`);
    await problem(api('POST', path, `@${large}`), 400, 3, /larger|large|bytes|MiB/);
    await problem(api('GET', '/v1/cwobject/access-key?limit=abc'), 400, 3, /limit/);
    await problem(api('GET', '/v1/cwobject/access-key?nonsense=1'), 400, 3, /nonsense/);
    await problem(api('GET', '/v1/cwobject/nothing'), 404, 5, /no such path/);
    const wrongMethod = await api('PATCH', path, {});
    assert.deepEqual([wrongMethod.status, wrongMethod.headers.allow], [405, 'POST']);
    await problem(api('POST', path, {}, ''), 401, 16, /Bearer/);
    await problem(api('POST', path, {}, 'CW-SECRET-wrong'), 401, 16, /token/);
    const basic = curl('-X', 'POST', `${server.apiUrl}${path}`, '-u', 'a:b', '-d', '{}');
    await problem(basic, 401, 16, /Bearer/);
    assert.deepEqual(await success('POST', path, { actions: ['s3:GetObject'], resources: ['*'] }), { verdict: true });
  });

  test('without authority only liveness; the document describes every endpoint', async () => {
    for (const [path, body] of [
      ['/healthz', 'ok\n'],
      ['/readyz', 'ready\n'],
    ] as const) {
      const answer = await api('GET', path, undefined, '');
      assert.deepEqual([answer.status, answer.body], [200, body]);
    }
    assert.equal((await api('GET', '/metrics', undefined, '')).status, 401);
    const metrics = await api('GET', '/metrics');
    assert.equal(metrics.status, 200);
    assert.match(metrics.body, /^# TYPE /m);
    assert.deepEqual(await success('GET', '/v1beta1/auth/whoami'), {
      principal: { uid: server.principal.replace('coreweave/', ''), orgUid: server.orgId },
    });
    assert.equal((await api('GET', '/v1beta1/auth/whoami', undefined, '')).status, 401);
    const document = JSON.parse((await api('GET', '/openapi.json', undefined, '')).body);
    const operations = Object.values<Record<string, { operationId?: string }>>(document.paths).flatMap((path) =>
      Object.values(path).map(({ operationId }) => operationId),
    );
    for (const { name } of CWObject.methods) assert(operations.includes(`CWObject_${name}`), name);
  });

  function s3(method: string, path: string, ...args: readonly string[]): Promise<Answer> {
    const user = `${accessKey.accessKeyId}:${accessKey.secretKey}`;
    return signed(user, method, `${server.s3Url}${path}`, ...args);
  }

  function signed(user: string, method: string, url: string, ...args: readonly string[]): Promise<Answer> {
    const how = method === 'HEAD' ? ['-I'] : ['-X', method];
    return curl(
      ...how,
      ...['--aws-sigv4', 'aws:amz:US-EAST-04A:s3', '--user', user],
      // curl has signed bodies of different kinds in different ways over its versions; this one says so itself.
      ...['-H', 'x-amz-content-sha256: UNSIGNED-PAYLOAD', ...args, url],
    );
  }

  test('curl --aws-sigv4: buckets and objects, path-style and virtual-hosted', async () => {
    assert.equal((await s3('PUT', '/curl-bucket')).status, 200);
    const put = await s3('PUT', '/curl-bucket/dir/key', '--data-binary', 'by curl', '-H', 'Content-Type: text/plain');
    assert.equal(put.status, 200, put.body);
    const file = join(directory, 'file');
    await writeFile(file, 'x'.repeat(300_000));
    const upload = await s3('PUT', '/curl-bucket/file', '-T', file);
    assert.equal(upload.status, 200, upload.body);
    const get = await s3('GET', '/curl-bucket/dir/key');
    assert.deepEqual([get.status, get.body, get.headers['content-type']], [200, 'by curl', 'text/plain']);
    assert(get.headers['x-amz-request-id']);
    const part = await s3('GET', '/curl-bucket/dir/key', '-H', 'Range: bytes=3-');
    assert.deepEqual([part.status, part.body, part.headers['content-range']], [206, 'curl', 'bytes 3-6/7']);
    const head = await s3('HEAD', '/curl-bucket/file');
    assert.deepEqual([head.status, head.headers['content-length']], [200, '300000']);
    const host = server.s3Url.replace('127.0.0.1', 'curl-bucket.localhost');
    const user = `${accessKey.accessKeyId}:${accessKey.secretKey}`;
    const listed = await signed(user, 'GET', `${host}/?list-type=2`);
    assert.equal(listed.status, 200, listed.body);
    assert.match(listed.body, /<Key>dir\/key<\/Key>.*<Key>file<\/Key>/s);
    assert.match((await s3('GET', '/')).body, /<Name>curl-bucket<\/Name>/);
    for (const key of ['dir/key', 'file']) assert.equal((await s3('DELETE', `/curl-bucket/${key}`)).status, 204);
    assert.equal((await s3('DELETE', '/curl-bucket')).status, 204);
  });

  test('S3 refusals are XML with the code that clients read', async () => {
    const refusal = async (answer: Promise<Answer>, status: number, code: string) => {
      const { status: found, body, headers } = await answer;
      assert.equal(found, status, body);
      assert.equal(headers['content-type'], 'application/xml');
      assert.match(
        body,
        new RegExp(`^<\\?xml version="1\\.0" encoding="UTF-8"\\?>\\s*<Error><Code>${code}</Code><Message>`),
      );
      assert.match(body, /<RequestId>[^<]+<\/RequestId>/);
    };
    const url = `${server.s3Url}/curl-nowhere`;
    await refusal(curl(url), 403, 'AccessDenied'); // whether it exists is nobody's business
    await refusal(curl(`${server.s3Url}/`), 403, 'AccessDenied');
    await refusal(signed(`${accessKey.accessKeyId}:wrong`, 'GET', url), 403, 'SignatureDoesNotMatch');
    await refusal(signed('CWAAAAAAAAAAAAAA:wrong', 'GET', url), 403, 'InvalidAccessKeyId');
    await refusal(s3('GET', '/curl-nowhere'), 404, 'NoSuchBucket');
    await refusal(s3('PUT', '/Bad_Name'), 400, 'InvalidBucketName');
    await refusal(s3('GET', '/curl-nowhere?acl='), 501, 'NotImplemented');
    await refusal(curl(url, '-H', 'Authorization: AWS CWAAAAAAAAAAAAAA:c2lnbmF0dXJl'), 400, 'InvalidRequest');
  });
});
