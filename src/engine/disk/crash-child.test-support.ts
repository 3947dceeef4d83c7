import { randomBytes } from 'node:crypto';
import { writeSync } from 'node:fs';
import { CRASH_OPTIONS, runWorkload } from './crash-workload.test-support.ts';
import { faultFs } from './fault-fs.test-support.ts';
import { openDiskEngine } from './open.ts';

/** Started by the crash test: DIR SEED STEPS KILL_AT. Kills itself ahead of the KILL_AT-th file-system call. */
const [dir = '', seed = '', steps = '0', killAt = '0'] = process.argv.slice(2);
let calls = 0;
const fs = faultFs(() => {
  calls += 1;
  if (calls === Number(killAt)) process.kill(process.pid, 'SIGKILL');
});
const engine = await openDiskEngine({
  dir,
  fs,
  clock: { now: () => Date.now() },
  entropy: { bytes: (size) => randomBytes(size) },
  options: CRASH_OPTIONS,
});
// Synchronous, so that what was reported before the kill has been reported.
await runWorkload(engine, seed, Number(steps), (step) => writeSync(1, `${JSON.stringify(step)}\n`));
await engine.close();
writeSync(1, `${JSON.stringify({ calls })}\n`);
