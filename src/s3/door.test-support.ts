import { createHash, createHmac, type Hash, type Hmac, randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import http from 'node:http';
import net, { type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { S3Client, type S3ClientConfig } from '@aws-sdk/client-s3';
import { SignatureV4 } from '@smithy/signature-v4';
import { type Caller, type Principal, principalName } from '../core/index.ts';
import { openDiskEngine } from '../engine/disk/index.ts';
import type { ObjectEngine } from '../engine/index.ts';
import type { Events, S3RequestEvent } from '../telemetry/index.ts';
import { createS3Handler, type S3KeyResolution, type S3Options, type S3Ports, type S3Question } from './index.ts';

/** A real server on loopback with the S3 door in front of a real engine, and clients to knock with. */
export interface Door {
  readonly port: number;
  /** Data directory of the engine. */
  readonly dir: string;
  readonly engine: ObjectEngine;
  readonly ports: S3Ports;
  readonly events: S3RequestEvent[];
  readonly accidents: unknown[];
  readonly questions: S3Question[];
  /** Judges every question; allows everything to signed callers until a test replaces it. */
  policy: (question: S3Question) => boolean;
  keys: Map<string, S3KeyResolution>;
  now: () => number;
  client(config?: S3ClientConfig): S3Client;
  /** Sends one request byte exact; signed with the key `as` unless that is null. */
  knock(input: Knock): Promise<Answer>;
  /** Writes raw bytes to the socket and reads until it closes or `until` matches. */
  raw(bytes: string | Buffer, until?: RegExp): Promise<string>;
  close(): Promise<void>;
}

export interface Knock {
  readonly method?: string;
  /** Raw target. */
  readonly target: string;
  readonly host?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
  readonly as?: string | null;
  /** Spoils the signature. */
  readonly forged?: boolean;
  readonly payloadHash?: string;
}

export interface Answer {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: string;
  readonly bytes: Buffer;
  /** Text of `<Code>`. */
  readonly code: string | undefined;
}

export const ACCESS_KEY = 'CWAAAAAAAAAAAAAA';
export const SECRET = 'cwoaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa';
export const OTHER_KEY = 'CWBBBBBBBBBBBBBB';

export function callerOf(orgId: string, uid: string): Caller & { readonly kind: 'principal' } {
  const principal: Principal = { kind: 'user', uid };
  return { kind: 'principal', orgId, principal, name: principalName(principal) };
}

/** `idleMs`: how long a connection may be silent; 0 = for ever. */
export async function openDoor(options: Partial<S3Options> = {}, idleMs = 0): Promise<Door> {
  const dir = await mkdtemp(join(tmpdir(), 'sallyport-s3-'));
  const engine = await openDiskEngine({
    dir,
    clock: { now: () => Date.now() },
    entropy: { bytes: (size) => randomBytes(size) },
    options: { segmentBytes: 4 * 1024 ** 2, firstSegmentBytes: 1024 ** 2 },
  });
  const policies = new Map<string, string>();
  let serial = 0;
  const door = {
    engine,
    events: [] as S3RequestEvent[],
    accidents: [] as unknown[],
    questions: [] as S3Question[],
    policy: (question: S3Question): boolean => question.caller.kind === 'principal',
    keys: new Map<string, S3KeyResolution>([
      [ACCESS_KEY, { state: 'usable', caller: callerOf('org-a', 'ann'), secret: SECRET }],
      [OTHER_KEY, { state: 'usable', caller: callerOf('org-b', 'bob'), secret: SECRET }],
    ]),
    now: () => Date.now(),
  };
  const events = new Proxy({} as Events, {
    get: (_target, name) => (event: unknown) => {
      if (name === 's3Request') door.events.push(event as S3RequestEvent);
      if (name === 'unexpected') door.accidents.push(event);
    },
  });
  const ports: S3Ports = {
    resolveKey: (id) => door.keys.get(id) ?? { state: 'unknown' },
    authorize: (question) => {
      door.questions.push(question);
      return door.policy(question)
        ? { allow: true, reason: 'allowed' }
        : { allow: false, reason: 'organization-policy-no-allow' };
    },
    bucketPolicies: {
      get: async (bucket) => policies.get(bucket.id),
      put: async (bucket, document) => void policies.set(bucket.id, document),
      delete: async (bucket) => void policies.delete(bucket.id),
      bucketDeleted: async (bucket) => void policies.delete(bucket.id),
    },
    engine,
    events,
    clock: { now: () => door.now() },
    requestId: () => (++serial).toString(16).toUpperCase().padStart(16, '0'),
    options: {
      domains: ['localhost'],
      strict: false,
      zones: ['US-EAST-04A'],
      defaultZone: 'US-EAST-04A',
      trustedProxies: [],
      ...options,
    },
  };
  const handler = createS3Handler(ports);
  const server = http.createServer(handler);
  server.on('checkContinue', handler);
  server.timeout = idleMs;
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const clients: S3Client[] = [];
  return Object.assign(door, {
    port,
    dir,
    ports,
    client: (config: S3ClientConfig = {}) => {
      const client = new S3Client({
        region: 'us-east-1',
        endpoint: `http://127.0.0.1:${port}`,
        forcePathStyle: true,
        credentials: { accessKeyId: ACCESS_KEY, secretAccessKey: SECRET },
        maxAttempts: 1,
        ...config,
      });
      clients.push(client);
      return client;
    },
    knock: (input: Knock) => knock(port, input),
    raw: (bytes: string | Buffer, until?: RegExp) => raw(port, bytes, until),
    close: async () => {
      for (const client of clients) client.destroy();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await engine.close();
      await rm(dir, { recursive: true, force: true });
    },
  });
}

class Sha256 {
  readonly #hash: Hash | Hmac;
  constructor(secret?: string | ArrayBuffer | ArrayBufferView) {
    this.#hash = secret === undefined ? createHash('sha256') : createHmac('sha256', secret as Buffer);
  }
  update(data: string | ArrayBuffer | ArrayBufferView): void {
    this.#hash.update(data as Buffer);
  }
  async digest(): Promise<Uint8Array> {
    return this.#hash.digest();
  }
  reset(): void {}
}

/** Headers of a signed request, made by the SDK's signer and not by our own code. */
export async function signedHeaders(port: number, input: Knock): Promise<Record<string, string>> {
  const host = input.host ?? `127.0.0.1:${port}`;
  const body = input.body ?? '';
  const payloadHash = input.payloadHash ?? createHash('sha256').update(body).digest('hex');
  const headers: Record<string, string> = { host, 'x-amz-content-sha256': payloadHash, ...input.headers };
  if (input.as === null) return { host, ...input.headers };
  const [path = '/', query = ''] = splitTarget(input.target);
  const signer = new SignatureV4({
    service: 's3',
    region: 'notempty',
    credentials: { accessKeyId: input.as ?? ACCESS_KEY, secretAccessKey: input.forged ? 'wrong' : SECRET },
    sha256: Sha256,
    uriEscapePath: false,
    applyChecksum: false,
  });
  const signed = await signer.sign({
    method: input.method ?? 'GET',
    protocol: 'http:',
    hostname: host,
    path,
    query: Object.fromEntries([...new URLSearchParams(query)]),
    headers,
    body,
  });
  return signed.headers;
}

function splitTarget(target: string): [string, string] {
  const at = target.indexOf('?');
  return at < 0 ? [target, ''] : [target.slice(0, at), target.slice(at + 1)];
}

async function knock(port: number, input: Knock): Promise<Answer> {
  const headers = await signedHeaders(port, input);
  const body = input.body ?? '';
  if (body.length > 0 && headers['transfer-encoding'] === undefined)
    headers['content-length'] = String(Buffer.byteLength(body));
  else if (input.method === 'PUT' || input.method === 'POST') headers['content-length'] = '0';
  return new Promise((resolve, reject) => {
    const request = http.request(
      {
        host: '127.0.0.1',
        port,
        method: input.method ?? 'GET',
        path: input.target,
        headers,
        agent: false,
        setHost: false,
      },
      (response) => {
        const pieces: Buffer[] = [];
        response.on('data', (piece: Buffer) => pieces.push(piece));
        response.on('error', reject);
        response.on('end', () => {
          const bytes = Buffer.concat(pieces);
          const text = bytes.toString();
          const code = /<Code>([^<]*)<\/Code>/.exec(text)?.[1];
          resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text, bytes, code });
        });
      },
    );
    request.on('error', reject);
    request.end(body);
  });
}

function raw(port: number, bytes: string | Buffer, until?: RegExp): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    const socket = net.connect(port, '127.0.0.1', () => socket.write(bytes));
    const timer = setTimeout(() => socket.destroy(), 5000);
    socket.on('data', (piece) => {
      text += piece.toString('latin1');
      if (until?.test(text)) socket.destroy();
    });
    socket.on('error', reject);
    socket.on('close', () => {
      clearTimeout(timer);
      resolve(text);
    });
  });
}
