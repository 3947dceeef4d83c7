import assert from 'node:assert/strict';
import { createHash, randomInt } from 'node:crypto';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { CRASH_OPTIONS, checkAfterCrash, runWorkload, type Step } from './crash-workload.test-support.ts';
import { type TestDirectory, testDirectory } from './directory.test-support.ts';
import { PowerFs, type Survival } from './power-fs.test-support.ts';

const STEPS = 8;
/** `ENGINE_SWEEP=1` cuts at every call instead of a sample. */
const SWEEP = process.env.ENGINE_SWEEP !== undefined;

interface Cut {
  readonly calls: number;
  readonly steps: readonly Step[];
  readonly left: readonly TestDirectory[];
}

/** Runs the workload until the `cutAt`-th call, then leaves the disk in each of the given states. */
async function cutPower(cutAt: number, checkpointMs: number, survivals: readonly Survival[]): Promise<Cut> {
  const directory = testDirectory();
  const left = survivals.map(() => testDirectory());
  const steps: Step[] = [];
  let atCut: readonly Step[] | undefined;
  const power = new PowerFs(directory.path, (call) => {
    if (call !== cutAt) return;
    power.isCut = true;
    atCut = [...steps];
    survivals.forEach((survival, index) => {
      power.leave(left[index]!.path, survival);
    });
  });
  try {
    const engine = await directory.open({ fs: power.fs, options: { ...CRASH_OPTIONS, checkpointMs } });
    await runWorkload(engine, 'power', STEPS, (step) => steps.push(step)).catch(() => {});
    await engine.close().catch(() => {});
  } catch (error) {
    // The cut came during the start.
    if (!power.isCut) throw error;
  }
  directory.remove();
  if (!power.isCut) {
    // The number of calls depends on timing: this run was over before the cut.
    for (const unused of left.splice(0)) unused.remove();
  }
  return { calls: power.calls, steps: atCut ?? steps, left };
}

function repeatable(seed: string): () => number {
  let count = 0;
  return () => createHash('sha256').update(`${seed}/${count++}`).digest().readUInt32BE() / 2 ** 32;
}

for (const [name, checkpointMs] of [
  ['an index that keeps up', 2],
  ['an index that stays behind', 1e9],
] as const) {
  test(`D-02 power cut with ${name}: acknowledged writes are there, others whole or absent`, async () => {
    const { calls } = await cutPower(Number.POSITIVE_INFINITY, checkpointMs, []);
    assert.ok(calls > 150, `${calls} calls`);
    const stride = SWEEP ? 1 : Math.ceil(calls / 24);
    for (let cutAt = 1 + (SWEEP ? 0 : randomInt(stride)); cutAt <= calls; cutAt += stride) {
      const survivals = ['nothing', 'all', repeatable(`${cutAt} a`), repeatable(`${cutAt} b`)] as const;
      const { steps, left } = await cutPower(cutAt, checkpointMs, survivals);
      for (const [index, directory] of left.entries()) {
        await check(directory, steps).catch((error) => {
          throw new Error(`cut at call ${cutAt}, survival ${index}, see ${directory.path}`, { cause: error });
        });
        directory.remove();
      }
    }
  });
}

async function check(directory: TestDirectory, steps: readonly Step[]): Promise<void> {
  const engine = await directory.open({ options: CRASH_OPTIONS });
  await checkAfterCrash(engine, steps);
  await engine.close();
  const root = join(directory.path, 'objects');
  const names = readdirSync(root, { recursive: true }).map((name) => join(root, String(name)));
  assert.deepEqual(
    names.filter((path) => statSync(path).isFile()),
    [],
    'no file is left behind',
  );
}
