import { join } from 'node:path';
import { generateLoad, type Sample } from './load/generate-load.ts';
import { type Body, keyOf, makeBody, type RequestShape, writeRequests } from './load/signer.ts';
import { type Server, s3 } from './peers/peer.ts';
import { seedAll } from './seed.ts';

const SMALL_OBJECTS = 3000;
const LARGE_OBJECTS = 4;

export interface Workload {
  readonly name: string;
  readonly connections: number;
  readonly large: boolean;
  readonly shape: RequestShape;
}

export const SMALL: Body = makeBody(4096);
export const LARGE: Body = makeBody(64 * 1024 * 1024);

const small = { prefix: 's/', count: SMALL_OBJECTS };
const large = { prefix: 'l/', count: LARGE_OBJECTS };

export const WORKLOADS = {
  get16: { name: 'GET 4 KiB -c16', connections: 16, large: false, shape: { method: 'GET', ...small } },
  get64: { name: 'GET 4 KiB -c64', connections: 64, large: false, shape: { method: 'GET', ...small } },
  get1: { name: 'GET 4 KiB -c1', connections: 1, large: false, shape: { method: 'GET', ...small } },
  put16: {
    name: 'PUT 4 KiB -c16',
    connections: 16,
    large: false,
    shape: { method: 'PUT', prefix: 'p/', count: SMALL_OBJECTS, body: SMALL },
  },
  put64: {
    name: 'PUT 4 KiB -c64',
    connections: 64,
    large: false,
    shape: { method: 'PUT', prefix: 'p/', count: SMALL_OBJECTS, body: SMALL },
  },
  put1: {
    name: 'PUT 4 KiB -c1',
    connections: 1,
    large: false,
    shape: { method: 'PUT', prefix: 'p/', count: SMALL_OBJECTS, body: SMALL },
  },
  list: {
    name: 'LIST 1000 -c4',
    connections: 4,
    large: false,
    shape: { method: 'GET', prefix: '', count: 100, query: 'list-type=2&max-keys=1000&prefix=s%2F' },
  },
  getLarge: { name: 'GET 64 MiB -c2', connections: 2, large: true, shape: { method: 'GET', ...large } },
  putLarge: {
    name: 'PUT 64 MiB signed -c2',
    connections: 2,
    large: true,
    shape: { method: 'PUT', prefix: 'w/', count: LARGE_OBJECTS, body: LARGE },
  },
  putLargeUnsigned: {
    name: 'PUT 64 MiB unsigned -c2',
    connections: 2,
    large: true,
    shape: { method: 'PUT', prefix: 'w/', count: LARGE_OBJECTS, body: LARGE, payload: 'unsigned' },
  },
} as const satisfies Readonly<Record<string, Workload>>;

export type WorkloadName = keyof typeof WORKLOADS;

/** Puts what the GET and LIST workloads read. */
export async function seed(server: Server, needLarge: boolean): Promise<void> {
  await seedAll(server.target, small.prefix, small.count, SMALL);
  if (needLarge) await seedAll(server.target, large.prefix, large.count, LARGE);
}

/** One run of one workload against one server; written objects of large PUTs are removed afterwards. */
export async function measure(dir: string, server: Server, workload: Workload, seconds: number): Promise<Sample> {
  const file = join(dir, 'requests');
  await writeRequests(file, server.target, workload.shape);
  const sample = await generateLoad({
    endpoint: server.target.endpoint,
    requests: file,
    connections: workload.connections,
    seconds,
    large: workload.large,
    pids: server.pids,
  });
  if (workload.large && workload.shape.method === 'PUT') await removeWritten(server, workload);
  return sample;
}

/** So that every run writes new files into recycled page cache, and disks do not fill up. */
async function removeWritten(server: Server, workload: Workload): Promise<void> {
  for (let index = 0; index < workload.shape.count; index++) {
    const path = `/${server.target.bucket}/${keyOf(workload.shape.prefix, index)}`;
    // A key that a short run never reached is missing; S3 says 204 to that, plain DAV 404.
    await s3(server.target, 'DELETE', path).catch(() => undefined);
  }
}
