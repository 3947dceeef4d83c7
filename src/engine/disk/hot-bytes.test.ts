import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HotBytes } from './hot-bytes.ts';

const KIB = 1024;

test('bytes are kept from the second read on, by segment and offset', () => {
  const hot = new HotBytes();
  const bytes = Buffer.from('one');
  hot.offer({ segment: 1, offset: 64 }, bytes);
  assert.equal(hot.get({ segment: 1, offset: 64 }), undefined);
  hot.offer({ segment: 1, offset: 64 }, bytes);
  assert.equal(hot.get({ segment: 1, offset: 64 }), bytes);
  assert.equal(hot.get({ segment: 2, offset: 64 }), undefined);
  assert.equal(hot.get({ segment: 1, offset: 72 }), undefined);
});

test('a pass over much data leaves what is in use, and memory stays bounded', () => {
  const hot = new HotBytes();
  const used = { segment: 1, offset: 0 };
  for (let turn = 0; turn < 2; turn++) hot.offer(used, Buffer.from('used'));
  const page = Buffer.alloc(64 * KIB);
  let held = 0;
  for (let offset = 8; offset < 8 + 1024 * 64 * KIB; offset += 64 * KIB) hot.offer({ segment: 2, offset }, page);
  assert.equal(hot.get(used)?.toString(), 'used');
  for (let index = 0; index < 1024; index++) {
    const place = { segment: 3, offset: index * 8 };
    hot.offer(place, page);
    hot.offer(place, page);
  }
  for (let index = 0; index < 1024; index++) if (hot.get({ segment: 3, offset: index * 8 })) held += page.length;
  assert.ok(held > 8 * KIB * KIB && held <= 16 * KIB * KIB, `${held} bytes`);
});
