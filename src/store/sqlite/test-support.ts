/**
 * A process that writes until it is killed, and says what it was told is done: `node test-support.ts FILE keys|policy N`.
 * `N` is the first number to use.
 */
import { writeSync } from 'node:fs';
import { setImmediate as turn } from 'node:timers/promises';
import { accessKey, policy } from '../conformance/samples.ts';
import { openSqliteStore } from './index.ts';

const [file, mode, first] = process.argv.slice(2);
const store = await openSqliteStore({ file: file! });
const acknowledge = (line: string) => writeSync(1, `${line}\n`);
acknowledge('ready');

async function writeKeys(start: number): Promise<void> {
  for (let index = start; ; index += 4) {
    const numbers = [index, index + 1, index + 2, index + 3];
    await Promise.all(
      numbers.map(async (number) => {
        await store.accessKeys.insert(accessKey(`CW${number}`));
        acknowledge(`insert ${number}`);
        if (number % 2 === 0) return;
        await store.accessKeys.revoke('org-a', `CW${number}`, number);
        acknowledge(`revoke ${number}`);
      }),
    );
  }
}

async function replacePolicy(start: number): Promise<void> {
  for (let number = start; ; number += 1) {
    await store.transact(async (records) => {
      await records.policies.remove('org-a', 'p');
      await turn();
      await records.policies.ensure(policy('p', { document: `${number}:${'x'.repeat(50_000)}:${number}` }));
      await turn();
    });
    acknowledge(`policy ${number}`);
  }
}

await (mode === 'keys' ? writeKeys(Number(first)) : replacePolicy(Number(first)));
