import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { storeConformance } from '../conformance.ts';
import { openSqliteStore } from './index.ts';

storeConformance('SQLite', async (context) => {
  const folder = await mkdtemp(join(tmpdir(), 'sallyport-store-'));
  context.after(() => rm(folder, { recursive: true }));
  return openSqliteStore({ file: join(folder, 'control.db') });
});
