import { randomBytes } from 'node:crypto';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ObjectEngine } from '../engine.ts';
import { type OpenDiskEngineInput, openDiskEngine } from './open.ts';

/** For tests: a data directory of its own, and engines on it that are quick to start. */
export interface TestDirectory {
  readonly path: string;
  open(more?: Partial<OpenDiskEngineInput>): Promise<ObjectEngine>;
  /** The files as they are now: what a killed process leaves. Flushed or not makes no difference here. */
  copy(): TestDirectory;
  remove(): void;
}

export const SMALL_SEGMENTS = { segmentBytes: 1024 * 1024, firstSegmentBytes: 256 * 1024, inlineBytesMax: 64 * 1024 };

export function testDirectory(): TestDirectory {
  return directoryAt(mkdtempSync(join(tmpdir(), 'sallyport-engine-')));
}

function directoryAt(path: string): TestDirectory {
  return {
    path,
    open: (more = {}) =>
      openDiskEngine({
        dir: path,
        clock: { now: () => Date.now() },
        entropy: { bytes: (size) => randomBytes(size) },
        ...more,
      }),
    copy: () => {
      const copied = mkdtempSync(join(tmpdir(), 'sallyport-engine-'));
      cpSync(path, copied, { recursive: true });
      return directoryAt(copied);
    },
    remove: () => rmSync(path, { recursive: true, force: true }),
  };
}
