import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { CreateBucketCommand } from '@aws-sdk/client-s3';
import { openDoor } from './door.test-support.ts';
import { unsignedFrames } from './payload/receiving.test-support.ts';

/** The engine releases the memory of what it was given; frames decide which pieces of which memory that is. */
test('S-15 a large framed body is stored whole, however its frames lie in what the socket gives', async (t) => {
  const door = await openDoor();
  t.after(() => door.close());
  await door.client().send(new CreateBucketCommand({ Bucket: 'lab' }));
  const bytes = randomBytes(2_500_000);
  for (const frame of [1000, 33_000, 40_000, 65_000, 65_536, 1_000_000, 2_500_000]) {
    const target = `/lab/framed-${frame}`;
    const put = await door.knock({
      method: 'PUT',
      target,
      body: unsignedFrames(bytes, frame, ''),
      payloadHash: 'STREAMING-UNSIGNED-PAYLOAD-TRAILER',
      headers: { 'x-amz-decoded-content-length': String(bytes.length) },
    });
    assert.equal(put.status, 200, put.body);
    assert.ok((await door.knock({ target })).bytes.equals(bytes), `frames of ${frame} bytes`);
  }
});
