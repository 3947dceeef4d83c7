import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { openSync } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { request } from 'node:http';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { withDescendants } from '../load/processes.ts';
import { signer, type Target } from '../load/signer.ts';

/** A server under load: ours or somebody else's. */
export interface Server {
  readonly name: string;
  /** Version and the settings that matter, for the report. */
  readonly about: string;
  readonly target: Target;
  pids(): readonly number[];
  stop(): Promise<void>;
}

/** Whether a peer can run here, and how. */
export interface Peer {
  readonly name: string;
  /** Undefined when it can be started; otherwise what to install. */
  missing(): Promise<string | undefined>;
  start(dir: string): Promise<Server>;
}

export const BUCKET = 'bench';

export async function freshDir(name: string): Promise<string> {
  return mkdtemp(join(process.env.BENCH_DIR ?? tmpdir(), `sallyport-bench-${name}-`));
}

export async function freePort(): Promise<number> {
  const probe = createServer();
  probe.listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const address = probe.address();
  probe.close();
  if (address === null || typeof address === 'string') throw new Error('no free port');
  return address.port;
}

/** Starts a program with its output in `dir`/log; it ends with this process if nothing stops it earlier. */
export async function launch(
  dir: string,
  command: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<{ readonly pids: () => readonly number[]; readonly stop: () => Promise<void> }> {
  await mkdir(dir, { recursive: true });
  const log = openSync(join(dir, 'log'), 'a');
  const child = spawn(command, args, { cwd: dir, stdio: ['ignore', log, log], env: { ...process.env, ...env } });
  await Promise.race([once(child, 'spawn'), once(child, 'error').then(([error]) => Promise.reject(error))]);
  const kill = () => child.kill('SIGKILL');
  process.once('exit', kill);
  return {
    pids: () => (child.pid === undefined ? [] : withDescendants(child.pid)),
    stop: async () => {
      await end(child);
      process.off('exit', kill);
      await rm(dir, { recursive: true, force: true });
    },
  };
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const closed = once(child, 'exit');
  child.kill('SIGTERM');
  const late = setTimeout(() => child.kill('SIGKILL'), 10_000);
  await closed;
  clearTimeout(late);
}

/** Waits until the server answers HTTP at all. */
export async function untilAnswers(endpoint: string, dir: string, path = '/'): Promise<void> {
  for (let attempt = 0; attempt < 600; attempt++) {
    const status = await call({ endpoint, method: 'GET', path }).then(
      (answer) => answer.status,
      () => 0,
    );
    if (status !== 0 && status !== 503) return;
    await sleep(100);
  }
  throw new Error(`the server at ${endpoint} did not answer within a minute; see ${join(dir, 'log')}`);
}

export interface Call {
  readonly endpoint: string;
  readonly method: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Buffer | string;
}

export function call(what: Call): Promise<{ readonly status: number; readonly text: string }> {
  const { endpoint, method, path, headers = {}, body } = what;
  return new Promise((resolve, reject) => {
    const length = { 'content-length': `${body === undefined ? 0 : Buffer.byteLength(body)}` };
    const req = request(`${endpoint}${path}`, { method, headers: { ...headers, ...length } }, (res) => {
      let text = '';
      res.on('data', (piece: Buffer) => {
        text += piece.toString();
      });
      res.once('end', () => resolve({ status: res.statusCode ?? 0, text }));
      res.once('error', reject);
    });
    req.once('error', reject);
    req.end(body);
  });
}

/** One signed S3 call outside the measurement; fails unless the answer is 2xx. */
export async function s3(target: Target, method: string, path: string, body?: { bytes: Buffer; sha256: string }) {
  const empty = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';
  const lines = signer(target)(method, path, '', body?.sha256 ?? empty)
    .trim()
    .split('\r\n');
  const headers = Object.fromEntries(
    lines.map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 2)]),
  );
  const answer = await call({
    endpoint: target.endpoint,
    method,
    path,
    headers,
    ...(body === undefined ? {} : { body: body.bytes }),
  });
  if (answer.status < 200 || answer.status > 299) {
    throw new Error(`${method} ${target.endpoint}${path} answered ${answer.status}: ${answer.text.slice(0, 300)}`);
  }
  return answer;
}

export const randomName = (): string => Math.random().toString(36).slice(2, 12).toUpperCase().padEnd(10, 'X');
