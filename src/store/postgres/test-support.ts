import { Client } from 'pg';
import { startPostgres } from '../../../test/postgres.ts';

export interface TestDatabases {
  /** URL of a new, empty database. */
  create(): Promise<string>;
  /** Runs one statement on the server, as its administrator. */
  query(text: string, values?: unknown[]): Promise<Record<string, unknown>[]>;
  stop(): Promise<void>;
}

/** For tests: a real server and as many databases as they want, all dropped at the end. */
export async function testDatabases(): Promise<TestDatabases> {
  const server = await startPostgres();
  const admin = new Client({ connectionString: server.url });
  await admin.connect();
  const made: string[] = [];
  const prefix = `sallyport_test_${process.pid}`;
  return {
    async create() {
      const name = `${prefix}_${made.length}`;
      made.push(name);
      await admin.query(`create database ${name}`);
      const url = new URL(server.url);
      url.pathname = `/${name}`;
      return url.href;
    },
    query: async (text, values) => (await admin.query(text, values)).rows,
    async stop() {
      for (const name of made) await admin.query(`drop database if exists ${name} with (force)`);
      await admin.end();
      await server.stop();
    },
  };
}
