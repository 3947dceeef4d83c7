import { closeSync, fsyncSync, openSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Failure } from '../../core/index.ts';

const FORMAT = 'sallyport-disk';
/** Raised when a directory written by this version could be misread by the version before. */
export const FORMAT_VERSION = 1;

/**
 * Refuses a directory of a newer version, or one that holds something else, before anything in it is touched (D-20).
 * Fails `failed-precondition`.
 */
export function checkFormat(directory: string): void {
  const stored = readFormat(directory);
  if (stored === undefined) {
    const foreign = readdirSync(directory).filter((name) => !name.startsWith('lock') && !name.startsWith('format'));
    if (foreign.length === 0) return;
    throw new Failure(
      'failed-precondition',
      `${directory} is not a data directory: it has no format file but holds other files. Choose an empty directory.`,
    );
  }
  if (stored.format !== FORMAT || stored.version !== FORMAT_VERSION) {
    throw new Failure(
      'failed-precondition',
      `${directory} has format ${stored.format} ${stored.version}; this version reads ${FORMAT} ${FORMAT_VERSION}. ` +
        'Use the version that wrote it.',
    );
  }
}

interface StoredFormat {
  readonly format: string;
  readonly version: number;
}

function readFormat(directory: string): StoredFormat | undefined {
  let text: string;
  try {
    text = readFileSync(join(directory, 'format'), 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  const [format = '', version = ''] = text.trim().split(' ');
  return { format, version: Number(version) };
}

/** Marks a new directory; does nothing to a marked one. */
export function writeFormat(directory: string): void {
  if (readFormat(directory)) return;
  const temporary = join(directory, 'format.new');
  writeFileSync(temporary, `${FORMAT} ${FORMAT_VERSION}\n`, { mode: 0o600, flush: true });
  renameSync(temporary, join(directory, 'format'));
  const fd = openSync(directory, 'r');
  fsyncSync(fd);
  closeSync(fd);
}
