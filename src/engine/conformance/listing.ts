import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { ListEntry } from '../engine.ts';
import { listAll, nameOf, newBucket, put, type Subject } from './subject.ts';

export function listingTests(subject: Subject): void {
  test('keys are listed in the order of their UTF-8 bytes, also beyond the BMP', async () => {
    const bucket = await newBucket(subject);
    // As UTF-16 the surrogates of the second would come before the first.
    const keys = ['\uFF5E', '😀', 'Z', 'a', 'é', '~'];
    for (const key of keys) await put(subject, bucket, key);
    assert.deepEqual((await listAll(subject, { bucket })).map(nameOf), ['Z', 'a', '~', 'é', '\uFF5E', '😀']);
  });

  test('prefix, delimiter, after and limit', async () => {
    const bucket = await newBucket(subject);
    const keys = ['a', 'a/1', 'a/2', 'a/b/3', 'b', 'b/', 'b//', 'c\uffff', 'c😀/x'];
    for (const key of keys) await put(subject, bucket, key);
    const list = async (input: Parameters<typeof listAll>[1] extends infer I ? Omit<I & object, 'bucket'> : never) =>
      (await listAll(subject, { bucket, ...input })).map(nameOf);
    assert.deepEqual(await list({ delimiter: '/' }), ['a', 'a/', 'b', 'b/', 'c\uffff', 'c😀/']);
    assert.deepEqual(await list({ delimiter: '/', prefix: 'a/' }), ['a/1', 'a/2', 'a/b/']);
    assert.deepEqual(await list({ delimiter: '/', prefix: 'b/' }), ['b/', 'b//']);
    assert.deepEqual(await list({ delimiter: '/', after: 'a/' }), ['b', 'b/', 'c\uffff', 'c😀/']);
    assert.deepEqual(await list({ after: 'a/b' }), ['a/b/3', 'b', 'b/', 'b//', 'c\uffff', 'c😀/x']);
    assert.deepEqual(await list({ prefix: 'b', after: 'a' }), ['b', 'b/', 'b//']);
    assert.deepEqual(await list({ prefix: 'z' }), []);
    const page = await subject.engine.listObjects({ bucket, prefix: '', delimiter: '/', after: '', limit: 0 });
    assert.deepEqual(page.entries, []);
    const two = await subject.engine.listObjects({ bucket, prefix: 'a', delimiter: '/', after: '', limit: 2 });
    assert.deepEqual([two.entries.map(nameOf), two.truncated], [['a', 'a/'], false]);
  });

  test('listing agrees with a naive model', async () => {
    const names = fc.string({
      unit: fc.constantFrom('a', 'b', '/', '-', 'é', '😀', '\uFF5E'),
      minLength: 1,
      maxLength: 6,
    });
    const query = fc.record({
      prefix: fc.oneof(fc.constant(''), names),
      delimiter: fc.constantFrom('', '/', '-', 'a/', '😀'),
      after: fc.oneof(fc.constant(''), names),
      limit: fc.integer({ min: 1, max: 7 }),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(names, { maxLength: 30 }),
        fc.array(names, { maxLength: 6 }),
        fc.array(query, { minLength: 1, maxLength: 8 }),
        async (keys, gone, queries) => {
          const bucket = await newBucket(subject);
          await Promise.all(keys.map((key) => put(subject, bucket, key)));
          await subject.engine.deleteObjects(bucket, gone);
          const left = keys.filter((key) => !gone.includes(key));
          for (const one of queries) {
            const page = await subject.engine.listObjects({ bucket, ...one });
            const expected = naive(left, one);
            assert.deepEqual(page.entries.map(nameOf), expected.slice(0, one.limit));
            assert.equal(page.truncated, expected.length > one.limit);
            assert.deepEqual((await listAll(subject, { bucket, ...one })).map(nameOf), expected);
          }
        },
      ),
      { numRuns: 40 },
    );
  });

  test('D-13 keys that stay are listed exactly once while others come and go', async () => {
    const bucket = await newBucket(subject);
    const stay = Array.from({ length: 300 }, (_, index) => `k${String(index * 2).padStart(4, '0')}`);
    await Promise.all(stay.map((key) => put(subject, bucket, key)));
    let busy = true;
    const churn = (async () => {
      for (let index = 1; busy; index = ((index + 14) % 601) | 1) {
        const key = `k${String(index).padStart(4, '0')}`;
        await put(subject, bucket, key);
        const fresh = await subject.engine.listObjects({ bucket, prefix: key, delimiter: '', after: '', limit: 1 });
        assert.equal(fresh.entries.length, 1, 'a fresh write is in the next list');
        await subject.engine.deleteObject({ bucket, key });
      }
    })();
    for (let round = 0; round < 10; round++) {
      const listed = await pagesWithTurns(subject, bucket);
      assert.deepEqual(
        listed.filter((key) => stay.includes(key)),
        stay,
      );
      assert.deepEqual(listed, [...new Set(listed)].sort());
    }
    busy = false;
    await churn;
  });

  test('a page may begin at a deleted key', async () => {
    const bucket = await newBucket(subject);
    for (const key of ['a', 'b', 'c']) await put(subject, bucket, key);
    const first = await subject.engine.listObjects({ bucket, prefix: '', delimiter: '', after: '', limit: 2 });
    await subject.engine.deleteObject({ bucket, key: 'b' });
    const after = nameOf(first.entries.at(-1)!);
    const next = await subject.engine.listObjects({ bucket, prefix: '', delimiter: '', after, limit: 2 });
    assert.deepEqual([next.entries.map(nameOf), next.truncated], [['c'], false]);
  });
}

async function pagesWithTurns(subject: Subject, bucket: Parameters<typeof put>[1]): Promise<string[]> {
  const names: string[] = [];
  for (let after = ''; ; ) {
    const page = await subject.engine.listObjects({ bucket, prefix: '', delimiter: '', after, limit: 37 });
    names.push(...page.entries.map((entry: ListEntry) => nameOf(entry)));
    if (!page.truncated) return names;
    after = names.at(-1)!;
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

interface Query {
  readonly prefix: string;
  readonly delimiter: string;
  readonly after: string;
}

function naive(keys: readonly string[], { prefix, delimiter, after }: Query): string[] {
  const names = new Set<string>();
  for (const key of keys) {
    if (!key.startsWith(prefix)) continue;
    const at = delimiter === '' ? -1 : key.indexOf(delimiter, prefix.length);
    names.add(at < 0 ? key : key.slice(0, at + delimiter.length));
  }
  const bytes = (name: string) => Buffer.from(name);
  return [...names]
    .filter((name) => Buffer.compare(bytes(name), bytes(after)) > 0)
    .sort((a, b) => Buffer.compare(bytes(a), bytes(b)));
}
