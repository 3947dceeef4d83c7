import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { ControlStore } from '../store.ts';
import { openSqliteStore } from './index.ts';

const WRITER = fileURLToPath(new URL('./test-support.ts', import.meta.url));
const ROUNDS = 6;

/** Kills a writing process at some moment; what it had been told is done. */
async function killedWriter(file: string, mode: 'keys' | 'policy', first: number): Promise<readonly string[]> {
  const child = spawn(process.execPath, [WRITER, file, mode, String(first)], { stdio: ['ignore', 'pipe', 'inherit'] });
  let said = '';
  const ready = new Promise<void>((resolve, reject) => {
    child.once('close', () => reject(new Error('the writer ended by itself')));
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      said += text;
      resolve();
    });
  });
  const closed = new Promise((resolve) => child.once('close', (_, signal) => resolve(signal)));
  await ready;
  await sleep(20 + Math.random() * 150);
  child.kill('SIGKILL');
  assert.equal(await closed, 'SIGKILL');
  // A line cut by the kill is not an answer that anybody got.
  return said.split('\n').slice(1, -1);
}

async function afterEachKill(
  context: TestContext,
  mode: 'keys' | 'policy',
  check: (store: ControlStore, said: readonly string[]) => Promise<void>,
): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'sallyport-crash-'));
  context.after(() => rm(folder, { recursive: true }));
  const file = join(folder, 'control.db');
  let answers = 0;
  for (let round = 0; round < ROUNDS; round += 1) {
    const said = await killedWriter(file, mode, round * 1_000_000);
    answers += said.length;
    const store = await openSqliteStore({ file });
    try {
      await check(store, said);
    } finally {
      await store.close();
    }
  }
  assert.ok(answers > 0, 'no writer was answered before it was killed');
}

test('D-18 D-01 every acknowledged key and revocation survives a killed process', (context) =>
  afterEachKill(context, 'keys', async (store, said) => {
    for (const line of said) {
      const [what, number] = line.split(' ');
      const key = await store.accessKeys.find(`CW${number}`);
      assert.ok(key, `${line} was answered and is lost`);
      if (what === 'revoke') assert.equal(key.revokedAt, Number(number), `${line} was answered and is lost`);
    }
    // Records and their changes are one: nothing is there that caches elsewhere did not hear of.
    const head = await store.changeHead();
    const [last] = await store.changesAfter(head - 1, 1);
    assert.ok(last && (await store.accessKeys.find(last.id)));
  }));

test('K-11 a process killed during replacements leaves one whole policy, none older than the last answer', (context) =>
  afterEachKill(context, 'policy', async (store, said) => {
    const policies = await store.policies.list('org-a');
    // Killed before its first answer, the child may have written nothing yet.
    if (policies.length === 0 && said.length === 0) return;
    assert.equal(policies.length, 1);
    const whole = /^(\d+):x{50000}:\1$/.exec(policies[0]!.document);
    assert.ok(whole, 'the policy is half of one');
    const answered = said.at(-1)?.split(' ')[1];
    if (answered !== undefined) assert.ok(Number(whole[1]) >= Number(answered));
  }));
