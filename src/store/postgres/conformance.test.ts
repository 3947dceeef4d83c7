import { after } from 'node:test';
import { storeConformance } from '../conformance.ts';
import { openPostgresStore } from './index.ts';
import { type TestDatabases, testDatabases } from './test-support.ts';

// Started by the first test that runs, so that a run of other tests does not wait for a server.
let databases: Promise<TestDatabases> | undefined;
after(async () => (await databases)?.stop());

storeConformance('PostgreSQL', async () => {
  databases ??= testDatabases();
  return openPostgresStore({ url: await (await databases).create() });
});
