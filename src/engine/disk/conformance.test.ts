import { after } from 'node:test';
import { engineConformance } from '../conformance.ts';
import { SMALL_SEGMENTS, testDirectory } from './directory.test-support.ts';

for (const [name, options] of [
  ['disk', {}],
  // Everything that large sizes hide: segments that roll and are reclaimed, files for small bodies, a lagging index.
  ['disk, small segments', { ...SMALL_SEGMENTS, checkpointMs: 5 }],
] as const) {
  const directory = testDirectory();
  after(() => directory.remove());
  engineConformance(name, () => directory.open({ options }));
}
