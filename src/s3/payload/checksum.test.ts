import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { ChecksumAlgorithm } from '../../core/index.ts';
import { CHECKSUM_BYTES, checksumOf, openHasher, strictBase64 } from './checksum.ts';

/** Check values over `123456789`: the CRC catalogue (reveng), FIPS 180 tools for SHA. */
const CHECK: Readonly<Record<ChecksumAlgorithm, string>> = {
  CRC32: 'cbf43926',
  CRC32C: 'e3069283',
  CRC64NVME: 'ae8b14860a799888',
  SHA1: 'f7c3bc1d808e04732adf679965ccc34ca7ae3441',
  SHA256: '15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225',
};
const algorithms = Object.keys(CHECK) as ChecksumAlgorithm[];

for (const algorithm of algorithms) {
  test(`checksum ${algorithm}: published check value, whole and in pieces`, async () => {
    const whole = await checksumOf(algorithm, Buffer.from('123456789'));
    assert.equal(whole.toString('hex'), CHECK[algorithm]);
    assert.equal(whole.length, CHECKSUM_BYTES[algorithm]);
    const hasher = await openHasher(algorithm);
    for (const piece of ['', '1', '2345', '6789']) hasher.update(Buffer.from(piece));
    assert.equal(hasher.digest().toString('hex'), CHECK[algorithm]);
  });

  test(`checksum ${algorithm}: pieces of any size give the value of the whole, many at once`, async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 8 }), async (pieces) => {
        const [first, second] = await Promise.all([openHasher(algorithm), openHasher(algorithm)]);
        for (const piece of pieces) {
          first.update(piece);
          second.update(Buffer.from(piece).reverse());
        }
        const expected = await checksumOf(algorithm, Buffer.concat(pieces));
        assert.deepEqual(first.digest(), expected);
        assert.equal(second.digest().length, expected.length);
      }),
      { numRuns: 30 },
    );
  });
}

test('strict base64: one spelling only', () => {
  assert.deepEqual(strictBase64('AAAAAA==', 4), Buffer.alloc(4));
  for (const bad of ['AAAAAA', 'AAAAAB==', 'AAAA AA==', 'AAAAAA==\n', 'AAAAAAA=', '', '!!!!!!==', 'AAAAAA==x'])
    assert.equal(strictBase64(bad, 4), undefined, bad);
});
