import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { copyFile, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import http2 from 'node:http2';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { CreateBucketCommand, GetObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { createClient } from '../../sdk/index.ts';
import { freePorts, inheritedEnvironment, ROOT, startServer, type TestServer } from '../server.ts';

async function s3Of(server: TestServer): Promise<S3Client> {
  const control = createClient({ apiUrl: server.apiUrl, token: server.apiToken });
  const key = await control.objects.createAccessKeyFromJWT({ durationSeconds: 900 });
  return new S3Client({
    endpoint: server.s3Url,
    region: 'US-EAST-04A',
    forcePathStyle: true,
    maxAttempts: 1,
    credentials: { accessKeyId: key.accessKeyId, secretAccessKey: key.secretKey },
  });
}

/** A start that is expected to fail: its exit code and what it said. */
async function failedStart(env: Record<string, string>): Promise<{ code: number | null; output: string }> {
  const [api, s3] = await freePorts(2);
  const result = spawnSync(process.execPath, [join(ROOT, 'src', 'server', 'main.ts')], {
    encoding: 'utf8',
    timeout: 20_000,
    env: {
      ...inheritedEnvironment(),
      SALLYPORT_API_LISTEN: `127.0.0.1:${api}`,
      SALLYPORT_S3_LISTEN: `127.0.0.1:${s3}`,
      ...env,
    },
  });
  return { code: result.status, output: result.stdout + result.stderr };
}

test('D-15 a second process on the same data directory refuses to start and the first is undisturbed', async () => {
  const server = await startServer();
  try {
    const second = await failedStart({ SALLYPORT_DATA_DIR: server.dataDir });
    assert.equal(second.code, 1);
    assert.match(second.output, /cannot start/);
    assert.ok(second.output.includes(server.dataDir), second.output);
    const s3 = await s3Of(server);
    await s3.send(new CreateBucketCommand({ Bucket: 'still-here' }));
  } finally {
    await server.stop();
  }
});

test('K-07 with a wrong, missing or readable master key the server does not start, and makes no new one', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'sallyport-key-'));
  try {
    await (await startServer({ dataDir })).stop();
    const key = join(dataDir, 'master.key');
    await rename(key, `${key}.away`);

    const missing = await failedStart({ SALLYPORT_DATA_DIR: dataDir });
    assert.equal(missing.code, 1);
    assert.match(missing.output, /master key file .* is missing/);
    assert.equal(existsSync(key), false);

    await writeFile(key, `${'ab'.repeat(32)}\n`, { mode: 0o600 });
    const wrong = await failedStart({ SALLYPORT_DATA_DIR: dataDir });
    assert.equal(wrong.code, 1);
    assert.match(wrong.output, /not the one that this data was sealed with/);

    await writeFile(join(dataDir, 'open.key'), await readFile(`${key}.away`), { mode: 0o644 });
    const readable = await failedStart({
      SALLYPORT_DATA_DIR: dataDir,
      SALLYPORT_MASTER_KEY_FILE: join(dataDir, 'open.key'),
    });
    assert.equal(readable.code, 1);
    assert.match(readable.output, /can be read by others/);

    await copyFile(`${key}.away`, key);
    await (await startServer({ dataDir })).stop();
  } finally {
    await rm(dataDir, { recursive: true, force: true });
  }
});

test('K-08 the server refuses a public address without TLS, and unknown settings', async () => {
  const open = await failedStart({ SALLYPORT_S3_LISTEN: '0.0.0.0:0', SALLYPORT_DATA_DIR: '/nonexistent' });
  assert.equal(open.code, 1);
  assert.match(open.output, /is not a loopback address and there is no TLS/);
  const unknown = await failedStart({ SALLYPORT_STRCIT: '1', SALLYPORT_DATA_DIR: '/nonexistent' });
  assert.match(unknown.output, /SALLYPORT_STRCIT is not a setting; did you mean SALLYPORT_STRICT\?/);
});

test('D-18 a first start that is killed at any moment leaves either nothing or a working token', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'sallyport-first-'));
  try {
    for (let round = 0; round < 8; round++) {
      const [api, s3] = await freePorts(2);
      const child = spawn(process.execPath, [join(ROOT, 'src', 'server', 'main.ts')], {
        stdio: 'ignore',
        env: {
          ...inheritedEnvironment(),
          SALLYPORT_DATA_DIR: dataDir,
          SALLYPORT_API_LISTEN: `127.0.0.1:${api}`,
          SALLYPORT_S3_LISTEN: `127.0.0.1:${s3}`,
        },
      });
      const exited = new Promise((resolve) => child.once('exit', resolve));
      await sleep(200 + round * 60);
      child.kill('SIGKILL');
      await exited;
    }
    const server = await startServer({ dataDir });
    const control = createClient({ apiUrl: server.apiUrl, token: server.apiToken });
    const { organizations } = await control.admin.listOrganizations({ limit: 10 });
    assert.equal(organizations.length, 1);
    assert.equal(existsSync(join(dataDir, 'bootstrap.json.pending')), false);
    await server.stop();
  } finally {
    await rm(dataDir, { recursive: true, force: true });
  }
});

test('D-19 shutdown under load: what was acknowledged is there after the next start', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'sallyport-stop-'));
  try {
    const server = await startServer({ dataDir });
    const s3 = await s3Of(server);
    await s3.send(new CreateBucketCommand({ Bucket: 'load' }));
    const acknowledged: string[] = [];
    let stopping = false;
    const writers = Array.from({ length: 16 }, async (_, writer) => {
      for (let count = 0; !stopping && count < 2000; count++) {
        const Key = `${writer}/${count}`;
        const ok = await s3.send(new PutObjectCommand({ Bucket: 'load', Key, Body: Key })).then(
          () => true,
          () => false,
        );
        if (ok) acknowledged.push(Key);
      }
    });
    await sleep(700);
    const stopped = server.stop();
    await sleep(50);
    stopping = true;
    await Promise.all([stopped, ...writers]);
    assert.ok(acknowledged.length > 100, `only ${acknowledged.length} writes`);

    const again = await startServer({ dataDir });
    const reader = await s3Of(again);
    for (const Key of acknowledged) {
      const answer = await reader.send(new GetObjectCommand({ Bucket: 'load', Key }));
      assert.equal(await answer.Body?.transformToString(), Key);
    }
    await again.stop();
  } finally {
    await rm(dataDir, { recursive: true, force: true });
  }
});

/** Sends bytes as they are and answers everything that came back. */
function raw(url: string, bytes: string): Promise<string> {
  const { port } = new URL(url);
  return new Promise((resolve, reject) => {
    const socket = net.connect(Number(port), '127.0.0.1', () => socket.write(bytes, 'latin1'));
    let text = '';
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
    });
    socket.on('close', () => resolve(text));
    socket.on('error', reject);
    socket.setTimeout(5000, () => socket.destroy());
  });
}

test('D-19, P-04, P-09 hostile bytes at both doors get an error in the form of the door and never end the process', async () => {
  const server = await startServer();
  try {
    for (const [url, form] of [
      [server.s3Url, /<Error><Code>/],
      [server.apiUrl, /"code":3/],
    ] as const) {
      assert.match(await raw(url, 'NOT HTTP AT ALL\r\n\r\n'), /^HTTP\/1\.1 400 [\s\S]*/);
      assert.match(await raw(url, 'GET / HTTP/1.1\r\nHost: x\r\nBad Header: 1\r\n\r\n'), form);
      assert.match(
        await raw(url, `GET / HTTP/1.1\r\nHost: x\r\nX-Long: ${'a'.repeat(70_000)}\r\n\r\n`),
        /^HTTP\/1\.1 431 /,
      );
      assert.match(
        await raw(
          url,
          'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
        ),
        /^HTTP\/1\.1 400 /,
      );
      await raw(url, 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n garbage that is no frame at all');
    }
    assert.equal((await fetch(`${server.apiUrl}/healthz`)).status, 200);
  } finally {
    await server.stop();
  }
});

test('both doors speak TLS, the API door picks HTTP/1.1 or HTTP/2 by ALPN', async () => {
  const certificates = join(ROOT, 'test', 'wire', 'certificates');
  const [api, s3] = await freePorts(2);
  const dataDir = await mkdtemp(join(tmpdir(), 'sallyport-tls-'));
  const ca = await readFile(join(certificates, 'localhost.crt'));
  const key = join(dataDir, 'tls.key');
  await writeFile(key, await readFile(join(certificates, 'localhost.key')), { mode: 0o600 });
  const child = spawn(process.execPath, [join(ROOT, 'src', 'server', 'main.ts')], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: {
      ...inheritedEnvironment(),
      SALLYPORT_DATA_DIR: join(dataDir, 'data'),
      SALLYPORT_API_LISTEN: `127.0.0.1:${api}`,
      SALLYPORT_S3_LISTEN: `127.0.0.1:${s3}`,
      SALLYPORT_TLS_CERT: join(certificates, 'localhost.crt'),
      SALLYPORT_TLS_KEY: key,
    },
  });
  try {
    let output = '';
    child.stdout.on('data', (chunk) => {
      output += chunk;
    });
    for (let waited = 0; !output.includes('"serving"') && waited < 20_000; waited += 50) await sleep(50);
    const https = await import('node:https');
    const get = (port: number | undefined, path: string) =>
      new Promise<number | undefined>((resolve, reject) => {
        https
          .get({ host: 'localhost', port, path, ca }, (response) => resolve(response.resume().statusCode))
          .on('error', reject);
      });
    assert.equal(await get(api, '/readyz'), 200);
    assert.equal(await get(s3, '/'), 403);
    const session = http2.connect(`https://localhost:${api}`, { ca });
    const status = await new Promise((resolve, reject) => {
      session.on('error', reject);
      session
        .request({ ':path': '/readyz' })
        .on('response', (headers) => resolve(headers[':status']))
        .resume()
        .end();
    });
    assert.equal(status, 200);
    assert.equal(session.alpnProtocol, 'h2');
    session.close();
  } finally {
    const exited = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGTERM');
    await exited;
    await rm(dataDir, { recursive: true, force: true });
  }
});
