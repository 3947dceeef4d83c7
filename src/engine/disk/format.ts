import { closeSync, fsyncSync, openSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { crc32c } from '@node-rs/crc32';
import { type Entropy, Failure } from '../../core/index.ts';

const FORMAT = 'sallyport-disk';
/** Raised when a directory written by this version could be misread by the version before. */
const FORMAT_VERSION = 1;

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
  if (stored.salt === undefined) {
    throw new Failure('data-damaged', `The file ${join(directory, 'format')} is damaged. Restore it from a copy.`);
  }
}

interface StoredFormat {
  readonly format: string;
  readonly version: number;
  /** Undefined when it does not match its checksum. */
  readonly salt: number | undefined;
}

function readFormat(directory: string): StoredFormat | undefined {
  let text: string;
  try {
    text = readFileSync(join(directory, 'format'), 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  const [format = '', version = '', salt = '', sum = ''] = text.trim().split(' ');
  const whole = salt.length === 8 && checksum(salt) === sum;
  return { format, version: Number(version), salt: whole ? Number.parseInt(salt, 16) : undefined };
}

/** A wrong salt would make the whole log look torn. */
function checksum(salt: string): string {
  return crc32c(salt).toString(16).padStart(8, '0');
}

/** Marks a new directory, and answers the salt of its log. */
export function writeFormat(directory: string, entropy: Entropy): number {
  const stored = readFormat(directory)?.salt;
  if (stored !== undefined) return stored;
  const salt = Buffer.from(entropy.bytes(4)).toString('hex');
  const temporary = join(directory, 'format.new');
  writeFileSync(temporary, `${FORMAT} ${FORMAT_VERSION} ${salt} ${checksum(salt)}\n`, { mode: 0o600, flush: true });
  renameSync(temporary, join(directory, 'format'));
  const fd = openSync(directory, 'r');
  fsyncSync(fd);
  closeSync(fd);
  return Number.parseInt(salt, 16);
}
