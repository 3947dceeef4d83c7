import { createSecretKey, type KeyObject } from 'node:crypto';
import { closeSync, fsyncSync, linkSync, openSync, readFileSync, statSync, unlinkSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Entropy } from '../core/index.ts';

/**
 * The key that seals every stored secret. Without a configured file it is made at the first start in the data
 * directory; there is no built-in one (threats K-07, K-08). The file holds 64 hexadecimal digits and must not be
 * readable by others.
 */
export function loadMasterKey(options: {
  readonly file: string;
  readonly dataDir: string;
  readonly entropy: Entropy;
  /** False when records exist already: a new key could not open them. */
  readonly mayCreate: boolean;
}): KeyObject {
  const file = options.file || join(options.dataDir, 'master.key');
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    if (options.file !== '') throw new Error(`the master key file ${file} does not exist`);
    if (!options.mayCreate) {
      throw new Error(
        `the master key file ${file} is missing, and there are records that only it can open: restore it`,
      );
    }
    text = createKeyFile(file, Buffer.from(options.entropy.bytes(32)).toString('hex'));
  }
  const mode = statSync(file).mode & 0o077;
  if (mode !== 0 && process.platform !== 'win32') {
    throw new Error(`the master key file ${file} can be read by others: run chmod 600 ${file}`);
  }
  const digits = text.trim();
  if (!/^[0-9a-fA-F]{64}$/.test(digits)) throw new Error(`the master key file ${file} must hold 64 hexadecimal digits`);
  return createSecretKey(Buffer.from(digits, 'hex'));
}

/** Whole or not at all, and on stable storage before anything is sealed with it. */
function createKeyFile(file: string, digits: string): string {
  const temporary = `${file}.${process.pid}.new`;
  const fd = openSync(temporary, 'w', 0o600);
  try {
    writeSync(fd, `${digits}\n`);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  try {
    linkSync(temporary, file);
  } finally {
    unlinkSync(temporary);
  }
  syncDirectory(dirname(file));
  return digits;
}

export function syncDirectory(path: string): void {
  const fd = openSync(path, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
