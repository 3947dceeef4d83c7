import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { CRASH_OPTIONS, checkAfterCrash, type Step } from './crash-workload.test-support.ts';
import { type TestDirectory, testDirectory } from './directory.test-support.ts';

const CHILD = fileURLToPath(new URL('./crash-child.test-support.ts', import.meta.url));
const STEPS = 12;
/** `ENGINE_SWEEP=1` kills at every call instead of a sample. */
const SWEEP = process.env.ENGINE_SWEEP !== undefined;

interface ChildRun {
  readonly steps: Step[];
  /** Undefined when the child was killed. */
  readonly calls: number | undefined;
}

/** Runs the workload in a process of its own; `killAfterMs` kills it from outside. */
function runChild(path: string, seed: string, killAt: number, killAfterMs?: number): Promise<ChildRun> {
  const args = [CHILD, path, seed, String(STEPS), String(killAt)];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const timer = killAfterMs === undefined ? undefined : setTimeout(() => child.kill('SIGKILL'), killAfterMs);
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', () => {
      clearTimeout(timer);
      const lines = output.split('\n').slice(0, -1);
      const parsed = lines.map((line) => JSON.parse(line) as Step & { calls?: number });
      const calls = parsed.find((line) => line.calls !== undefined)?.calls;
      resolve({ steps: parsed.filter((line) => line.kind !== undefined), calls });
    });
  });
}

async function checkDirectory(directory: TestDirectory, steps: readonly Step[]): Promise<void> {
  const engine = await directory.open({ options: CRASH_OPTIONS });
  await checkAfterCrash(engine, steps);
  await engine.close();
  assert.deepEqual(filesUnder(join(directory.path, 'objects')), [], 'no file is left behind');
}

function filesUnder(path: string): string[] {
  const names = readdirSync(path, { recursive: true }).map((name) => join(path, String(name)));
  return names.filter((name) => statSync(name).isFile());
}

test('D-01 D-12 killed at file-system calls: acknowledged writes are there, others whole or absent', async (context) => {
  const whole = testDirectory();
  context.after(() => whole.remove());
  const { calls, steps } = await runChild(whole.path, 'seed', 0);
  assert.ok(calls !== undefined && calls > 100 && steps.length > 40);
  await checkDirectory(whole, steps);
  const stride = SWEEP ? 1 : Math.ceil(calls / 16);
  for (let killAt = 1 + (SWEEP ? 0 : randomInt(stride)); killAt <= calls; killAt += stride) {
    const directory = testDirectory();
    const run = await runChild(directory.path, 'seed', killAt);
    await checkDirectory(directory, run.steps).catch((error) => {
      throw new Error(`killed at call ${killAt}, see ${directory.path}`, { cause: error });
    });
    directory.remove();
  }
});

test('D-01 killed at random moments, and again during the start after it', async (context) => {
  for (let round = 0; round < (SWEEP ? 100 : 8); round++) {
    const directory = testDirectory();
    context.after(() => directory.remove());
    const seed = `round ${randomInt(1e9)}`;
    const run = await runChild(directory.path, seed, 0, 90 + randomInt(180));
    const again = await runChild(directory.path, `${seed} again`, 1 + randomInt(60));
    await checkDirectory(directory, [...run.steps, ...again.steps]).catch((error) => {
      throw new Error(`${seed}, see ${directory.path}`, { cause: error });
    });
  }
});
