import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { ATTRIBUTES, get, md5, newBucket, whole } from '../conformance/subject.ts';
import { testDirectory } from './directory.test-support.ts';

test('D-12 a completion that names a part still on its way to the disk waits for it', async (context) => {
  const directory = testDirectory();
  context.after(() => directory.remove());
  const damage: string[] = [];
  const engine = await directory.open({ log: { warn: (message) => void damage.push(message) } });
  const bucket = await newBucket({ engine });
  const { uploadId } = await engine.createUpload({ bucket, key: 'k', attributes: ATTRIBUTES, initiator: 'me' });
  const bytes = randomBytes(20_000);
  const part = { bucket, key: 'k', uploadId, partNumber: 1 };
  const [, result] = await Promise.all([
    engine.putPart({ ...part, body: whole(bytes) }),
    // The client knows the ETag without having been answered.
    Promise.resolve()
      .then(() => Promise.resolve())
      .then(() => engine.completeUpload({ ...part, parts: [{ partNumber: 1, etag: md5(bytes) }] })),
  ]);
  assert.equal(result.size, bytes.length);
  assert.deepEqual(await get({ engine }, bucket, 'k'), bytes);
  assert.deepEqual(damage, []);
  await engine.close();
});
