import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import http from 'node:http';
import https from 'node:https';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

export const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..');

export interface StartOptions {
  /** `SALLYPORT_…` settings beside the ones that are always set. */
  readonly env?: Readonly<Record<string, string>>;
  /** Certificate chain (signed by itself) and key for both doors, PEM files; the URLs are then https. */
  readonly tls?: { readonly cert: string; readonly key: string };
  /** Of an earlier server, to start on its data again. It is kept; without it a fresh one is made and removed. */
  readonly dataDir?: string;
}

/** The real server in a process of its own, on free loopback ports. */
export interface TestServer {
  readonly apiUrl: string;
  readonly s3Url: string;
  readonly orgId: string;
  /** `coreweave/<uid>` of the first administrator. */
  readonly principal: string;
  readonly apiToken: string;
  readonly dataDir: string;
  readonly pid: number;
  /** Everything it wrote so far, both streams. */
  output(): string;
  /** Asks it to end, waits, and asserts that it ended well and that nothing it logged holds a token or a secret. */
  stop(): Promise<void>;
  /** Ends it like a power cut; the data stays for a later start. */
  kill(): Promise<void>;
}

const READY_MS = 30_000;
const STOP_MS = 15_000;

/**
 * Starts the server and answers when both doors serve. Logs at the most talkative level, so that `stop` sees whatever
 * could leak (threat K-06).
 */
export async function startServer(options: StartOptions = {}): Promise<TestServer> {
  const fresh = options.dataDir === undefined;
  const dataDir = options.dataDir ?? (await mkdtemp(join(tmpdir(), 'sallyport-test-')));
  const [apiPort, s3Port] = await freePorts(2);
  const scheme = options.tls ? 'https' : 'http';
  const apiUrl = `${scheme}://127.0.0.1:${apiPort}`;
  const s3Url = `${scheme}://127.0.0.1:${s3Port}`;
  const child = spawn(process.execPath, [join(ROOT, 'src', 'server', 'main.ts')], {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      ...inheritedEnvironment(),
      SALLYPORT_DATA_DIR: dataDir,
      SALLYPORT_API_LISTEN: `127.0.0.1:${apiPort}`,
      SALLYPORT_S3_LISTEN: `127.0.0.1:${s3Port}`,
      SALLYPORT_LOG_LEVEL: 'trace',
      ...(options.tls ? { SALLYPORT_TLS_CERT: options.tls.cert, SALLYPORT_TLS_KEY: options.tls.key } : {}),
      ...options.env,
    },
  });
  const output = capture(child);
  const end = () => {
    child.kill('SIGKILL');
  };
  // A test that fails before it stops its server must not leave one behind.
  process.once('exit', end);
  child.once('exit', () => process.off('exit', end));
  const removeData = async () => {
    if (fresh) await rm(dataDir, { recursive: true, force: true });
  };
  try {
    await untilReady(apiUrl, child, output);
    const { orgId, principal, apiToken } = JSON.parse(await readFile(join(dataDir, 'bootstrap.json'), 'utf8'));
    const running = { apiUrl, s3Url, orgId, principal, apiToken, dataDir, pid: child.pid ?? 0, output };
    return {
      ...running,
      stop: async () => {
        await stop(child, output);
        await removeData();
      },
      kill: async () => {
        child.kill('SIGKILL');
        await ended(child);
      },
    };
  } catch (error) {
    child.kill('SIGKILL');
    await ended(child);
    await removeData();
    throw error;
  }
}

/** The variables of this process without settings of ours, and without anything that would steer an AWS client. */
export function inheritedEnvironment(): Record<string, string> {
  const kept: Record<string, string> = {};
  for (const [name, value] of Object.entries(process.env)) {
    if (value !== undefined && !/^(SALLYPORT_|AWS_|NODE_TEST_CONTEXT$|https?_proxy$|all_proxy$)/i.test(name))
      kept[name] = value;
  }
  return kept;
}

/** Ports that were free a moment ago. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'));
  await Promise.all(servers.map((server) => once(server, 'listening')));
  const ports = servers.map((server) => (server.address() as { port: number }).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

function capture(child: ChildProcess): () => string {
  let text = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8');
    stream?.on('data', (chunk: string) => {
      text += chunk;
    });
  }
  return () => text;
}

async function untilReady(apiUrl: string, child: ChildProcess, output: () => string): Promise<void> {
  const deadline = Date.now() + READY_MS;
  while (Date.now() < deadline) {
    if (child.exitCode !== null || child.signalCode !== null) throw new Error(`the server ended:\n${output()}`);
    if ((await statusOf(`${apiUrl}/readyz`)) === 200) return;
    await sleep(25);
  }
  throw new Error(`the server was not ready within ${READY_MS} ms:\n${output()}`);
}

/** Over a connection of its own that ends with the answer; undefined when there was none. */
export function statusOf(url: string): Promise<number | undefined> {
  const options = { agent: false, rejectUnauthorized: false };
  return new Promise((resolve) => {
    const request = (url.startsWith('https:') ? https : http).get(url, options, (answer) => {
      answer.resume();
      answer.on('close', () => resolve(answer.statusCode));
    });
    request.on('error', () => resolve(undefined));
  });
}

async function stop(child: ChildProcess, output: () => string): Promise<void> {
  const before = child.exitCode ?? child.signalCode;
  assert.equal(before, null, `the server ended by itself (${before}):\n${output()}`);
  child.kill('SIGTERM');
  const cut = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
  await ended(child);
  clearTimeout(cut);
  assert.equal(child.exitCode, 0, `the server did not stop well (${child.signalCode}):\n${output()}`);
  assertNoSecrets(output());
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
}

/** Tokens and secret keys can be told by their form, wherever they turn up. The first start's own words are not a log. */
export function assertNoSecrets(output: string): void {
  const log = output.replace(/\nSallyport is ready for its first user\.[\s\S]*?Without the AWS CLI: .*\n/, '');
  assert.doesNotMatch(log, /CW-SECRET-[A-Za-z0-9_-]{8}/, 'an API token is in the log');
  assert.doesNotMatch(log, /\bcwo[A-Za-z0-9_-]{40}\b/, 'a secret key is in the log');
}
