// Does what the README says on a clone of the committed tree: `npm start` alone, then a first object through the command
// line client. Prints the time from start to the first successful PUT on the installed clone.
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CreateBucketCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { apiTokenCredentials } from '../sdk/index.ts';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const clone = mkdtempSync(join(tmpdir(), 'sallyport-clone-'));

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.on('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address();
      probe.close(() => resolve(typeof address === 'object' && address ? address.port : 0));
    });
  });
}

async function ready(url: string, deadline: number): Promise<void> {
  for (;;) {
    const ok = await fetch(`${url}/readyz`).then(
      (response) => response.status === 200,
      () => false,
    );
    if (ok) return;
    if (Date.now() > deadline) throw new Error('the server was not ready in time');
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

async function firstObject(apiUrl: string, endpoint: string, dataDir: string): Promise<void> {
  const { apiToken } = JSON.parse(readFileSync(join(dataDir, 'bootstrap.json'), 'utf8'));
  const credentials = apiTokenCredentials({ apiUrl, token: apiToken });
  const s3 = new S3Client({ endpoint, region: 'US-EAST-04A', forcePathStyle: true, credentials });
  await s3.send(new CreateBucketCommand({ Bucket: 'my-first-bucket' }));
  await s3.send(new PutObjectCommand({ Bucket: 'my-first-bucket', Key: 'hello.txt', Body: 'hello' }));
}

async function round(name: string, seconds: number): Promise<void> {
  const [s3, api] = [await freePort(), await freePort()];
  const env = {
    ...process.env,
    SALLYPORT_S3_LISTEN: `127.0.0.1:${s3}`,
    SALLYPORT_API_LISTEN: `127.0.0.1:${api}`,
    SALLYPORT_DATA_DIR: join(clone, name),
  };
  const started = Date.now();
  const server = spawn('npm', ['start'], { cwd: clone, env, stdio: ['ignore', 'inherit', 'inherit'], detached: true });
  const ended = new Promise<void>((resolve) => server.on('exit', () => resolve()));
  try {
    await ready(`http://127.0.0.1:${api}`, Date.now() + seconds * 1000);
    const sallyport = (...args: string[]) =>
      execFileSync('npx', ['sallyport', ...args], { cwd: clone, env, encoding: 'utf8' });
    const readyAfter = Date.now() - started;
    await firstObject(`http://127.0.0.1:${api}`, `http://127.0.0.1:${s3}`, join(clone, name));
    console.log(`${name}: serving after ${readyAfter} ms, first object after ${Date.now() - started} ms`);
    const listed = sallyport('bucket', 'list', '--json');
    if (!listed.includes('my-first-bucket')) throw new Error(`the bucket is not listed: ${listed}`);
  } finally {
    if (server.pid !== undefined) process.kill(-server.pid, 'SIGTERM');
    await ended;
  }
}

try {
  execFileSync('git', ['clone', '-q', root, clone], { stdio: 'inherit' });
  await round('first-start', 240);
  await round('second-start', 20);
} finally {
  rmSync(clone, { recursive: true, force: true });
}
