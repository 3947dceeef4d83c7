import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Failure } from '../../core/index.ts';

/**
 * Keeps a second process out of the data directory (D-15). Node has no file locks; an exclusive SQLite transaction holds
 * one, and the kernel releases it when the process ends, however it ends.
 */
export function lockDirectory(directory: string): () => void {
  const database = new DatabaseSync(join(directory, 'lock'));
  try {
    database.exec('PRAGMA busy_timeout = 0; PRAGMA journal_mode = DELETE; BEGIN EXCLUSIVE');
  } catch (cause) {
    database.close();
    throw new Failure(
      'unavailable',
      `The data directory ${directory} is in use by another process. Stop that process, or choose another directory.`,
      { cause },
    );
  }
  return () => {
    database.exec('ROLLBACK');
    database.close();
  };
}
