import { mkdirSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import type { Clock, Entropy } from '../../core/index.ts';
import type { ObjectEngine } from '../engine.ts';
import { BufferPool } from './buffer-pool.ts';
import { type Checkpoint, Checkpointer, decodeCheckpoint } from './checkpoint.ts';
import { Compactor } from './compaction.ts';
import type { Disk, DiskOptions, EngineLog } from './disk.ts';
import { DiskEngine } from './engine.ts';
import { storageFailure } from './failures.ts';
import { FdCache } from './fd-cache.ts';
import { FileStore } from './file-store.ts';
import { checkFormat, writeFormat } from './format.ts';
import { type DiskFs, nodeFs, syncDirectorySync } from './fs.ts';
import { HashPool } from './hash-pool.ts';
import { IndexStore } from './index-store.ts';
import { bucketPrefix, META_KEY, TABLE } from './keys.ts';
import { lockDirectory } from './lock.ts';
import { Log } from './log.ts';
import { type LogEnd, recover } from './recovery.ts';
import { type BucketRow, decodeRow } from './rows.ts';
import { SegmentFiles } from './segment.ts';
import { State } from './state.ts';

const MIB = 1024 * 1024;

const DEFAULT_OPTIONS: DiskOptions = {
  inlineBytesMax: MIB,
  segmentBytes: 64 * MIB,
  firstSegmentBytes: 16 * MIB,
  checkpointMs: 200,
  hashThreads: 1,
  openFilesMax: 256,
  doneMs: 48 * 3600 * 1000,
};

export interface OpenDiskEngineInput {
  /** Made when it does not exist. */
  readonly dir: string;
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly log?: EngineLog;
  readonly options?: Partial<DiskOptions>;
  /** For fault tests. */
  readonly fs?: DiskFs;
}

/**
 * Opens a data directory: lock, format, index, replay of the log's tail. Fails `unavailable` (another process has it),
 * `failed-precondition` (made by a newer version, or not a data directory), `data-damaged` (the log is damaged where it
 * was acknowledged; nothing is changed), `storage-failed`.
 */
export async function openDiskEngine(input: OpenDiskEngineInput): Promise<ObjectEngine> {
  makeDirectory(input.fs ?? nodeFs, resolve(input.dir));
  checkFormat(input.dir);
  const unlock = lockDirectory(input.dir);
  let index: IndexStore | undefined;
  try {
    const salt = writeFormat(input.dir, input.entropy);
    index = IndexStore.open(join(input.dir, 'index'));
    return await openLocked(input, index, salt, unlock);
  } catch (error) {
    await index?.close();
    unlock();
    throw error;
  }
}

async function openLocked(
  input: OpenDiskEngineInput,
  index: IndexStore,
  salt: number,
  unlock: () => void,
): Promise<ObjectEngine> {
  const fs = input.fs ?? nodeFs;
  const options = { ...DEFAULT_OPTIONS, ...input.options };
  makeDirectories(fs, input.dir);
  const state = new State(index);
  const fds = new FdCache(fs, options.openFilesMax);
  const segments = new SegmentFiles(fs, fds, join(input.dir, 'log'), salt);
  const stored = index.get(META_KEY);
  const checkpoint = stored && decodeCheckpoint(stored);
  const files = new FileStore(fs, fds, join(input.dir, 'objects'), checkpoint?.nextFile ?? 1);
  const knownTrash = loadIndex(index, state, files);
  const end = recover({ fs, segments, state, directory: input.dir, from: checkpoint && logEnd(checkpoint) });
  takeReplayedFiles(state, files);
  files.collectOrphans(checkpoint?.lowestFile ?? 0, (file) => state.usesFile(file));
  files.discard([...files.trash]);
  const log = await startLog({ input, fs, segments, state, options, end });
  const disk = assemble({ input, fs, options, index, state, log, segments, files }, knownTrash);
  // What was replayed is in the index before anything new is.
  await disk.checkpointer.write();
  return new DiskEngine(disk, async () => {
    await disk.compactor.close();
    await log.close();
    await files.close();
    await disk.checkpointer.close().finally(async () => {
      await disk.hashes.close();
      fds.close();
      await index.close();
      unlock();
    });
  });
}

function logEnd(checkpoint: Checkpoint): LogEnd {
  return { place: checkpoint.place, sequence: checkpoint.sequence };
}

/** New directories above are flushed as well: a power cut must not take the way to the data. */
function makeDirectory(fs: DiskFs, dir: string): void {
  const first = mkdirSync(dir, { recursive: true, mode: 0o700 });
  if (first === undefined) return;
  for (let made = dir; made.length >= first.length; made = dirname(made)) syncDirectorySync(fs, dirname(made));
}

function makeDirectories(fs: DiskFs, dir: string): void {
  for (const name of ['log', 'objects', join('objects', 'incoming')]) fs.mkdirSync(join(dir, name));
  syncDirectorySync(fs, join(dir, 'objects'));
  syncDirectorySync(fs, dir);
}

/** Buckets, sums and unfinished removals; object rows stay in the index. Answers the known trash. */
function loadIndex(index: IndexStore, state: State, files: FileStore): Set<number> {
  for (const { key, value } of index.table(TABLE.bucket)) {
    const row = decodeRow(key, value) as BucketRow;
    state.buckets.load(row, index.get(bucketPrefix(TABLE.usage, row.id)));
  }
  for (const { key, value } of index.table(TABLE.segment)) {
    state.liveBytes.set(key.readUInt32BE(1), value.readDoubleBE(0));
  }
  for (const { key } of index.table(TABLE.trash)) files.trash.add(key.readUIntBE(1, 6));
  return new Set(files.trash);
}

/**
 * Files are unlinked only now that `recover` has flushed what it replayed: a killed process may have left records that
 * a power cut would still take back. Numbers that the log knows are never given out again.
 */
function takeReplayedFiles(state: State, files: FileStore): void {
  for (const [file, used] of state.fileChanges) {
    files.seen(file);
    if (used) files.trash.delete(file);
    else files.trash.add(file);
  }
  state.onFilesFreed = (freed) => files.discard(freed);
}

interface StartLogInput {
  readonly input: OpenDiskEngineInput;
  readonly fs: DiskFs;
  readonly segments: SegmentFiles;
  readonly state: State;
  readonly options: DiskOptions;
  readonly end: LogEnd;
}

/** Every start begins a segment of its own, so that nothing is ever written behind a cut-off tail. */
async function startLog({ input, fs, segments, state, options, end }: StartLogInput): Promise<Log> {
  const next = end.place.segment + 1;
  const activeBytes = await prepareFirst(segments, next, options.firstSegmentBytes);
  const segment = activeBytes === undefined ? undefined : next;
  if (segment === undefined) input.log?.warn('the storage is full; nothing can be written', { directory: input.dir });
  const log = new Log(fs, segments, state, {
    segmentBytes: options.segmentBytes,
    activeBytes: activeBytes ?? 0,
    segment,
    durable: end.place,
    sequence: end.sequence,
    onFailed: (failure) =>
      input.log?.warn('the storage failed; no more writes until a restart', { error: failure.message }),
  });
  await log.barrier();
  return log;
}

/**
 * Makes the first segment and answers its size; on a full disk a small one, that deletions may use, or none: whoever
 * needs space has to read and delete first (D-05).
 */
async function prepareFirst(segments: SegmentFiles, segment: number, bytes: number): Promise<number | undefined> {
  for (const size of [bytes, Math.min(bytes, MIB)]) {
    try {
      await segments.prepare(segment, size);
      return size;
    } catch (error) {
      const failure = storageFailure(error, 'making the first log segment');
      if (failure.code !== 'storage-full') throw failure;
    }
  }
  return undefined;
}

type Parts = Pick<Disk, 'fs' | 'options' | 'index' | 'state' | 'log' | 'segments' | 'files'> & {
  readonly input: OpenDiskEngineInput;
};

function assemble(parts: Parts, knownTrash: ReadonlySet<number>): Disk & { readonly compactor: Compactor } {
  const { input, state, log, files, index, options } = parts;
  const warn = (message: string, error: unknown) => input.log?.warn(message, { error: String(error) });
  const checkpointer = new Checkpointer(
    {
      index,
      state,
      log,
      files,
      intervalMs: options.checkpointMs,
      onWritten: (place) => compactor.afterCheckpoint(place),
      onFailed: (error) => warn('the index could not be written; it is tried again', error),
    },
    knownTrash,
  );
  const { input: _, ...rest } = parts;
  const disk = {
    ...rest,
    clock: input.clock,
    entropy: input.entropy,
    hashes: new HashPool(options.hashThreads),
    readBuffers: new BufferPool(16, (size) => new ArrayBuffer(size)),
    writeBuffers: new BufferPool(16, (size) => new SharedArrayBuffer(size)),
    checkpointer,
    onDamage: (what: string) => input.log?.warn('stored data is damaged', { where: what }),
  };
  const compactor = new Compactor(disk, (error) => warn('log space could not be reclaimed', error));
  state.onLanded = () => checkpointer.touch();
  return { ...disk, compactor };
}
