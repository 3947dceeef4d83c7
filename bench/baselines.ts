import { createHash, randomBytes } from 'node:crypto';
import { closeSync, fdatasyncSync, fsyncSync, openSync, unlinkSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { open } from 'lmdb';

/** What the machine itself can do; denominators that are no servers. */
export interface FlushSpeed {
  readonly perSecond: number;
  /** Milliseconds. */
  readonly p50: number;
}

/**
 * 4 KiB written and flushed, one at a time, into a file that was written before (a fresh file would measure the file
 * system's allocation instead).
 */
export function measureFlush(dir: string, seconds: number): FlushSpeed {
  const path = join(dir, 'flush');
  const fd = openSync(path, 'w+');
  const block = randomBytes(4096);
  const blocks = 4096;
  for (let index = 0; index < blocks; index++) writeSync(fd, block, 0, block.length, index * block.length);
  fsyncSync(fd);
  const times: number[] = [];
  const begin = performance.now();
  for (let index = 0; performance.now() - begin < seconds * 1000; index++) {
    const before = performance.now();
    writeSync(fd, block, 0, block.length, (index % blocks) * block.length);
    fdatasyncSync(fd);
    times.push(performance.now() - before);
  }
  const elapsed = (performance.now() - begin) / 1000;
  closeSync(fd);
  unlinkSync(path);
  times.sort((a, b) => a - b);
  return { perSecond: times.length / elapsed, p50: times[Math.floor(times.length / 2)] ?? 0 };
}

/** Bytes per second of one core, in 64 KiB pieces as from a socket; OpenSSL underneath. */
export function measureHash(algorithm: 'md5' | 'sha256', seconds: number): number {
  const piece = randomBytes(64 * 1024);
  const hash = createHash(algorithm);
  const begin = performance.now();
  let bytes = 0;
  while (performance.now() - begin < seconds * 1000) {
    for (let turn = 0; turn < 64; turn++) hash.update(piece);
    bytes += 64 * piece.length;
  }
  hash.digest();
  return bytes / ((performance.now() - begin) / 1000);
}

/** Milliseconds for a raw ordered scan of 1,000 of 100,000 rows of 200 bytes. */
export async function measureScan(dir: string, seconds: number): Promise<number> {
  const store = open<Buffer, string>({ path: join(dir, 'scan'), encoding: 'binary', noSync: true });
  const value = randomBytes(200);
  await store.transaction(() => {
    for (let index = 0; index < 100_000; index++) store.put(`bench/${String(index).padStart(7, '0')}`, value);
  });
  let scans = 0;
  let seen = 0;
  const begin = performance.now();
  while (performance.now() - begin < seconds * 1000) {
    const start = `bench/${String((scans * 7919) % 99_000).padStart(7, '0')}`;
    for (const entry of store.getRange({ start, limit: 1000 })) seen += entry.value.length;
    scans++;
  }
  const elapsed = performance.now() - begin;
  await store.close();
  if (seen !== scans * 1000 * value.length) throw new Error('the scan lost rows');
  return elapsed / scans;
}

/**
 * Memory of a virtual machine is given on first touch: a write into page cache that was never touched runs at a fraction
 * of the usual speed. Dirty it once and let it go before any large PUT is measured.
 */
export function dirtyPageCache(dir: string, gibibytes: number): void {
  const path = join(dir, 'dirty');
  const fd = openSync(path, 'w');
  const block = randomBytes(1 << 20);
  for (let written = 0; written < gibibytes * 1024; written++) writeSync(fd, block);
  fsyncSync(fd);
  closeSync(fd);
  unlinkSync(path);
}
