import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { crc32c } from '@node-rs/crc32';
import { testDirectory } from './directory.test-support.ts';
import { nodeFs } from './fs.ts';
import { HEADER_BYTES, RECORD, recordBytes, sealRecord } from './record.ts';
import { SegmentWindow } from './segment-window.ts';

const MIB = 1024 * 1024;
const SALT = 0x12345678;

function record(sequence: number, dataBytes: number): Buffer {
  const bytes = Buffer.alloc(recordBytes(8, dataBytes));
  const data = randomBytes(dataBytes);
  data.copy(bytes, HEADER_BYTES + 8);
  const durable = { segment: 1, offset: 0 };
  sealRecord(bytes, { type: RECORD.changes, sequence, durable, metaBytes: 8, dataBytes, dataCrc: crc32c(data) }, SALT);
  return bytes;
}

test('a segment is read the same through a small window as whole', (context) => {
  const directory = testDirectory();
  context.after(() => directory.remove());
  // Around the window's end: a record across it, one that is larger than it, and headers right at it.
  const sizes = [10, MIB, MIB - 200, 0, 3 * MIB, 5, 40, MIB];
  const records = sizes.map((size, index) => record(index + 1, size));
  const bytes = Buffer.concat([...records, Buffer.alloc(3 * MIB)]);
  const path = join(directory.path, 'segment');
  writeFileSync(path, bytes);
  const window = new SegmentWindow(nodeFs, path, SALT);
  assert.deepEqual(
    [...window.heads(0)].map((head) => [head.sequence, head.dataBytes]),
    sizes.map((size, index) => [index + 1, size]),
  );
  let at = 0;
  for (const expected of records) {
    assert.ok(window.head(at, bytes.length));
    assert.equal(window.head(at, at + expected.length - 8), undefined, 'a record that ends behind the limit');
    assert.ok(window.view(at, expected.length).equals(expected));
    at += expected.length;
  }
  assert.equal(window.view(bytes.length - 4, 100).length, 4);
  assert.equal(window.view(bytes.length, 100).length, 0);
  assert.ok(window.view(3, 50).equals(bytes.subarray(3, 53)), 'backwards');
  window.close();
});
