import { after, before } from 'node:test';
import { storeConformance } from '../conformance.ts';
import { openPostgresStore } from './index.ts';
import { type TestDatabases, testDatabases } from './test-support.ts';

let databases: TestDatabases;
before(async () => {
  databases = await testDatabases();
});
after(() => databases.stop());

storeConformance('PostgreSQL', async () => openPostgresStore({ url: await databases.create() }));
