import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { compileGlob, globCovers, globsOverlap } from './glob.ts';

/** The definition itself: a table over all prefixes. */
function slowMatch(pattern: string, text: string): boolean {
  const p = [...pattern];
  const t = [...text];
  let row = t.map(() => false);
  row.unshift(true);
  for (const c of p) {
    const next = [c === '*' && row[0]!];
    for (let j = 0; j < t.length; j++) {
      next.push(c === '*' ? row[j + 1]! || next[j]! : (c === '?' || c === t[j]) && row[j]!);
    }
    row = next;
  }
  return row[t.length]!;
}

const patterns = fc.string({ unit: fc.constantFrom('a', 'b', '/', '*', '?', '😀'), maxLength: 12 });
const texts = fc.string({ unit: fc.constantFrom('a', 'b', '/', '😀'), maxLength: 12 });

test('compiled patterns match what the definition matches', () => {
  fc.assert(
    fc.property(patterns, texts, (pattern, text) => {
      assert.equal(compileGlob(pattern).test(text), slowMatch(pattern, text));
    }),
    { numRuns: 20_000 },
  );
});

test('covering and overlapping agree with the texts that match', () => {
  fc.assert(
    fc.property(patterns, patterns, texts, (left, right, text) => {
      const inLeft = slowMatch(left, text);
      const inRight = slowMatch(right, text);
      if (globCovers(left, right) && inRight) assert.ok(inLeft);
      if (inLeft && inRight) assert.ok(globsOverlap(left, right));
    }),
    { numRuns: 20_000 },
  );
  assert.equal(globCovers('a*', 'a*b'), true);
  assert.equal(globCovers('a?', 'a*'), false);
  assert.equal(globsOverlap('a*', '*b'), true);
  assert.equal(globsOverlap('a*', 'b*'), false);
});

// Counts comparisons instead of time: a matcher that backtracks needs billions of them here and never ends.
test('P-15 patterns made for backtracking end at once', () => {
  const hostile: readonly (readonly [string, string])[] = [
    ['*a'.repeat(512), `${'a'.repeat(1023)}b`],
    [`${'*a?'.repeat(341)}b`, 'a'.repeat(1024)],
    [`*${'a'.repeat(511)}b*${'a'.repeat(511)}`, 'a'.repeat(1024)],
    [`*${'a?'.repeat(511)}b*`, 'a'.repeat(1024)],
    [`${'*?'.repeat(512)}`, 'a'.repeat(511)],
  ];
  for (const [pattern, text] of hostile) {
    const glob = compileGlob(pattern);
    for (let round = 0; round < 20; round++) assert.equal(glob.test(text), false);
    globsOverlap(pattern, text);
    globCovers(pattern, pattern);
  }
});
