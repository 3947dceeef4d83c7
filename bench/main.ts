import { execFileSync } from 'node:child_process';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { API_LOADS, measureApi } from './api-load.ts';
import { dirtyPageCache, measureFlush, measureHash, measureScan } from './baselines.ts';
import type { Sample } from './load/generate-load.ts';
import { residentBytes } from './load/processes.ts';
import { ceph } from './peers/ceph.ts';
import { hello } from './peers/hello.ts';
import { minio } from './peers/minio.ts';
import { nginx } from './peers/nginx.ts';
import { freshDir, type Server } from './peers/peer.ts';
import { type Sallyport, sallyportPeer } from './peers/sallyport.ts';
import { seaweedfs } from './peers/seaweedfs.ts';
import { versitygw } from './peers/versitygw.ts';
import { type RunFacts, report } from './report.ts';
import { type Measurements, OURS, OURS_MANY } from './targets.ts';
import { measure, seed, WORKLOADS, type Workload, type WorkloadName } from './workloads.ts';

const S3_WORKLOADS = Object.keys(WORKLOADS) as WorkloadName[];
const PEER_WORKLOADS: readonly string[] = ['get16', 'put16', 'put64', 'get1', 'put1', 'list', 'getLarge', 'putLarge'];

/** What each server is asked; the first is ours. */
const LINEUP = [
  { key: 'sallyport', peer: sallyportPeer(OURS, 10), workloads: [...S3_WORKLOADS, ...API_LOADS.keys()] },
  { key: 'sallyport-many', peer: sallyportPeer(OURS_MANY, 10_000), workloads: ['get16'] },
  { key: 'ceph', peer: ceph, workloads: S3_WORKLOADS },
  { key: 'nginx', peer: nginx, workloads: ['get16', 'getLarge', 'putLargeUnsigned'] },
  { key: 'hello', peer: hello, workloads: ['get16'] },
  { key: 'minio', peer: minio, workloads: PEER_WORKLOADS },
  { key: 'seaweedfs', peer: seaweedfs, workloads: PEER_WORKLOADS },
  { key: 'versitygw', peer: versitygw, workloads: PEER_WORKLOADS },
] as const;

interface Contestant {
  readonly server: Server;
  readonly workloads: readonly string[];
}

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '6' },
    only: { type: 'string', default: [...S3_WORKLOADS, ...API_LOADS.keys()].join(',') },
    peers: { type: 'string', default: LINEUP.map(({ key }) => key).join(',') },
    quick: { type: 'boolean', default: false },
    save: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

if (options.help) {
  process.stdout.write(
    `npm run bench -- [--rounds 3] [--seconds 6] [--quick] [--save] [--only a,b] [--peers a,b]\n` +
      `  workloads: ${options.only}\n  servers: ${options.peers}\n  --quick: one round of one second, to see that it works; its figures mean nothing\n`,
  );
} else {
  // Only an orderly exit ends the servers.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
  await bench();
}

async function bench(): Promise<void> {
  const rounds = options.quick ? 1 : Number(options.rounds);
  const seconds = options.quick ? 1 : Number(options.seconds);
  const only = new Set(options.only.split(','));
  const dir = await freshDir('work');
  const startedAt = new Date();
  const contestants: Contestant[] = [];
  try {
    const absent = await startAll(contestants, new Set(options.peers.split(',')), only);
    if (!options.quick) dirtyPageCache(dir, 4);
    const measured = await measureAll(dir, contestants, only, rounds, seconds);
    const facts: RunFacts = {
      startedAt,
      rounds,
      seconds,
      servers: contestants.map(({ server }) => server),
      absent,
      workloads: titles(only),
      commit: execFileSync('git', ['rev-parse', '--short', 'HEAD']).toString().trim(),
    };
    await publish(report(measured, facts), startedAt);
  } finally {
    for (const { server } of contestants.reverse()) await server.stop();
    await rm(dir, { recursive: true, force: true });
  }
}

function titles(only: ReadonlySet<string>): ReadonlyMap<string, string> {
  const all: [string, string][] = [
    ...S3_WORKLOADS.map((key): [string, string] => [key, WORKLOADS[key].name]),
    ...API_LOADS,
  ];
  return new Map(all.filter(([key]) => only.has(key)));
}

async function publish(text: string, startedAt: Date): Promise<void> {
  process.stdout.write(`\n${text}`);
  if (!options.save) return;
  const results = join(dirname(fileURLToPath(import.meta.url)), 'results');
  await mkdir(results, { recursive: true });
  await writeFile(join(results, `${startedAt.toISOString().slice(0, 10)}.md`), text);
}

/** Starts and fills every server that was asked for and is there; answers why the others are not. */
async function startAll(into: Contestant[], wanted: ReadonlySet<string>, only: ReadonlySet<string>): Promise<string[]> {
  const absent: string[] = [];
  for (const { key, peer, workloads } of LINEUP) {
    const asked = workloads.filter((workload) => only.has(workload));
    if (!wanted.has(key) || asked.length === 0) continue;
    const missing = await peer.missing();
    if (missing !== undefined) {
      absent.push(`${peer.name}: ${missing}`);
      continue;
    }
    progress(`starting ${peer.name}`);
    const server = await peer.start(await freshDir(key));
    into.push({ server, workloads: asked });
    if (key !== 'hello') await seed(server, asked.includes('getLarge'));
    if ('withoutSendfile' in server && asked.includes('getLarge')) {
      into.push({ server: server.withoutSendfile as Server, workloads: ['getLarge'] });
    }
  }
  return absent;
}

/** Workload by workload; within one, round by round with all servers next to each other, each time another one first. */
async function measureAll(
  dir: string,
  contestants: readonly Contestant[],
  only: ReadonlySet<string>,
  rounds: number,
  seconds: number,
): Promise<Measurements> {
  const samples = new Map<string, Map<string, Sample[]>>(contestants.map(({ server }) => [server.name, new Map()]));
  const limits: Limits = { flushPerSecond: [], flushP50: [], md5: [], scan: [] };
  for (const [workload, title] of titles(only)) {
    const part = contestants.filter(({ workloads }) => workloads.includes(workload));
    for (let round = 0; round < rounds; round++) {
      progress(`${title}, round ${round + 1} of ${rounds}`);
      await measureLimit(dir, workload, limits, Math.min(seconds, 3));
      for (let turn = 0; turn < part.length; turn++) {
        const { server } = part[(turn + round) % part.length]!;
        const sample = await measureOne(dir, server, workload, seconds);
        const byWorkload = samples.get(server.name)!;
        byWorkload.set(workload, [...(byWorkload.get(workload) ?? []), sample]);
      }
    }
  }
  const memory = new Map(contestants.map(({ server }) => [server.name, residentBytes(server.pids())]));
  return { samples, ...limits, memory };
}

type Limits = { [Name in 'flushPerSecond' | 'flushP50' | 'md5' | 'scan']: number[] };

/** What the machine can do, taken in the same round as the workload that is compared with it. */
async function measureLimit(dir: string, workload: string, limits: Limits, seconds: number): Promise<void> {
  if (workload === 'put64') limits.flushPerSecond.push(measureFlush(dir, seconds).perSecond);
  if (workload === 'put1') limits.flushP50.push(measureFlush(dir, seconds).p50);
  if (workload === 'putLarge') limits.md5.push(measureHash('md5', seconds));
  if (workload === 'list') limits.scan.push(await measureScan(dir, Math.min(seconds, 1)));
}

async function measureOne(dir: string, server: Server, workload: string, seconds: number): Promise<Sample> {
  if (API_LOADS.has(workload)) return measureApi(dir, server as Sallyport, workload, seconds);
  const { [workload as WorkloadName]: chosen } = WORKLOADS as Readonly<Record<WorkloadName, Workload>>;
  const sample = await measure(dir, server, chosen, seconds);
  if (sample.errors > 0) progress(`  ${server.name}: ${sample.errors} errors ${sample.failure}`);
  return sample;
}

function progress(line: string): void {
  process.stderr.write(`${line}\n`);
}
