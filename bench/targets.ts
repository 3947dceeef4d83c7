import type { Sample } from './load/generate-load.ts';
import { pairedRatio, type Spread, spreadOf } from './statistics.ts';
import type { WorkloadName } from './workloads.ts';

/** Everything one bench run measured. Lists have one entry per round, in the same order for all servers. */
export interface Measurements {
  readonly samples: ReadonlyMap<string, ReadonlyMap<string, readonly Sample[]>>;
  readonly flushPerSecond: readonly number[];
  /** Milliseconds. */
  readonly flushP50: readonly number[];
  /** Bytes per second. */
  readonly md5: readonly number[];
  /** Milliseconds for 1,000 rows. */
  readonly scan: readonly number[];
  /** Resident bytes by server, after all load. */
  readonly memory: ReadonlyMap<string, number>;
}

/** One line of the accepted table: a ratio, what it must reach first, and where it is to end. */
export interface Row {
  readonly workload: string;
  readonly denominator: string;
  readonly better: 'higher' | 'lower';
  readonly first: number;
  /** Absent: there is only one mark. */
  readonly goal?: number;
  /** Undefined when a side was not measured. */
  ratio(measured: Measurements): Spread | undefined;
}

export const OURS = 'Sallyport';
export const OURS_MANY = 'Sallyport, 10,000 statements';
export const EXCHANGE = 'exchange';
export const ISSUE = 'issue';

type Field = 'requestsPerSecond' | 'bytesPerSecond' | 'p50' | 'bytesPerCoreSecond';

/** Undefined when it was not measured, or when requests failed: then the rate says nothing. */
function values(measured: Measurements, server: string, workload: string, field: Field): readonly number[] | undefined {
  const samples = measured.samples.get(server)?.get(workload);
  return samples?.some(({ errors }) => errors > 0) ? undefined : samples?.map((sample) => sample[field]);
}

function against(
  peer: string,
  workload: WorkloadName | typeof EXCHANGE,
  field: Field,
  marks: { readonly first: number; readonly goal?: number; readonly better?: 'lower'; readonly of?: WorkloadName },
  title: string,
  denominator = peer,
): Row {
  return {
    workload: title,
    denominator,
    better: marks.better ?? 'higher',
    first: marks.first,
    ...(marks.goal === undefined ? {} : { goal: marks.goal }),
    ratio(measured) {
      const ours = values(measured, OURS, workload, field);
      const theirs = values(measured, peer, marks.of ?? workload, field);
      return ours && theirs && pairedRatio(ours, theirs);
    },
  };
}

const lower = 'lower' as const;
const CEPH = 'Ceph RGW';
const NGINX = 'nginx';
const HELLO = 'node hello';

function versusLimit(
  title: string,
  denominator: string,
  marks: Pick<Row, 'better' | 'first' | 'goal'>,
  ratio: Row['ratio'],
): Row {
  return { workload: title, denominator, ...marks, ratio };
}

/** The official targets; figures are ratios, ours divided by the denominator. */
export const ROWS: readonly Row[] = [
  against(CEPH, 'get16', 'requestsPerSecond', { first: 7, goal: 12 }, 'GET 4 KiB -c16'),
  against(
    NGINX,
    'get16',
    'requestsPerSecond',
    { first: 0.25, goal: 0.45 },
    'GET 4 KiB -c16',
    'nginx static (no proof)',
  ),
  against(HELLO, 'get16', 'requestsPerSecond', { first: 0.35, goal: 0.6 }, 'GET 4 KiB -c16', 'bare node:http hello'),
  against(CEPH, 'put64', 'requestsPerSecond', { first: 15, goal: 25 }, 'PUT 4 KiB -c64'),
  versusLimit('PUT 4 KiB -c64', 'write + fdatasync, 1 thread', { better: 'higher', first: 2, goal: 4 }, (measured) => {
    const ours = values(measured, OURS, 'put64', 'requestsPerSecond');
    return ours && pairedRatio(ours, measured.flushPerSecond);
  }),
  versusLimit('PUT 4 KiB -c1 p50', 'write + fdatasync p50', { better: 'lower', first: 2.5, goal: 1.6 }, (measured) => {
    const ours = values(measured, OURS, 'put1', 'p50');
    return ours && pairedRatio(ours, measured.flushP50);
  }),
  against(CEPH, 'put1', 'p50', { first: 0.12, goal: 0.06, better: lower }, 'PUT 4 KiB -c1 p50'),
  against(CEPH, 'get1', 'p50', { first: 0.14, goal: 0.1, better: lower }, 'GET 4 KiB -c1 p50'),
  against(CEPH, 'list', 'requestsPerSecond', { first: 5, goal: 12 }, 'LIST 1000'),
  versusLimit('LIST 1000 time per page', 'raw LMDB scan', { better: 'lower', first: 4, goal: 2 }, (measured) => {
    const ours = values(measured, OURS, 'list', 'requestsPerSecond')?.map((pages) => 1000 / pages);
    return ours && pairedRatio(ours, measured.scan);
  }),
  against(
    NGINX,
    'getLarge',
    'bytesPerCoreSecond',
    { first: 0.9, goal: 1.1 },
    'GET 64 MiB per core',
    'nginx sendfile on',
  ),
  against(
    'nginx, sendfile off',
    'getLarge',
    'bytesPerCoreSecond',
    { first: 0.6, goal: 0.8 },
    'GET 64 MiB per core',
    'nginx sendfile off',
  ),
  against(CEPH, 'getLarge', 'bytesPerSecond', { first: 3.5, goal: 4.5 }, 'GET 64 MiB'),
  against(CEPH, 'putLarge', 'bytesPerSecond', { first: 1.25, goal: 1.6 }, 'PUT 64 MiB signed, MD5 ETag'),
  versusLimit(
    'PUT 64 MiB signed, MD5 ETag',
    'MD5 on one core',
    { better: 'higher', first: 0.6, goal: 0.85 },
    (measured) => {
      const ours = values(measured, OURS, 'putLarge', 'bytesPerSecond');
      return ours && pairedRatio(ours, measured.md5);
    },
  ),
  against(
    NGINX,
    'putLargeUnsigned',
    'bytesPerSecond',
    { first: 0.8, goal: 0.95 },
    'PUT 64 MiB unsigned',
    'nginx DAV PUT (target is for no MD5; ours makes the MD5)',
  ),
  versusLimit(
    'key issuance (API token → durable key)',
    '100/s',
    { better: 'higher', first: 20, goal: 50 },
    (measured) => {
      const ours = values(measured, OURS, ISSUE, 'requestsPerSecond');
      return ours && spreadOf(ours.map((rate) => rate / 100));
    },
  ),
  against(
    HELLO,
    EXCHANGE,
    'requestsPerSecond',
    { first: 0.5, of: 'get16' },
    'exchange of a seen API token -c16',
    'bare node:http hello',
  ),
  versusLimit(
    'GET 4 KiB -c16, time per request with 10,000 statements',
    'the same with 10',
    { better: 'lower', first: 1.1 },
    (measured) => {
      const few = values(measured, OURS, 'get16', 'requestsPerSecond');
      const many = values(measured, OURS_MANY, 'get16', 'requestsPerSecond');
      return few && many && pairedRatio(few, many);
    },
  ),
  memoryRow(CEPH, 0.25, 0.15),
  ...['MinIO', 'SeaweedFS', 'versitygw'].flatMap((peer) => [
    against(peer, 'get16', 'requestsPerSecond', { first: 1.5 }, 'GET 4 KiB -c16'),
    against(peer, 'put64', 'requestsPerSecond', { first: 3 }, 'PUT 4 KiB -c64'),
    against(peer, 'list', 'requestsPerSecond', { first: 2 }, 'LIST 1000'),
    against(peer, 'getLarge', 'bytesPerSecond', { first: 1 }, 'GET 64 MiB'),
    against(peer, 'putLarge', 'bytesPerSecond', { first: 1 }, 'PUT 64 MiB signed, MD5 ETag'),
    memoryRow(peer, 0.5),
  ]),
];

function memoryRow(peer: string, first: number, goal?: number): Row {
  const marks = { better: lower, first, ...(goal === undefined ? {} : { goal }) };
  return versusLimit('memory after load', peer, marks, (measured) => {
    const ours = measured.memory.get(OURS);
    const theirs = measured.memory.get(peer);
    return ours && theirs ? spreadOf([ours / theirs]) : undefined;
  });
}

/** Share of the first mark that was reached: 1 and more is enough. */
export function reached(row: Row, mark: number, value: number): number {
  return row.better === 'higher' ? value / mark : mark / value;
}
