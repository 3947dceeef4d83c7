import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { TaggedCache } from './tagged-cache.ts';

test('a tagged cache is bounded, and dropping a tag drops exactly its entries', () => {
  const key = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f');
  const tag = fc.constantFrom('x', 'y', 'z');
  const step = fc.oneof(
    fc.record({ do: fc.constant('set' as const), key, tags: fc.uniqueArray(tag) }),
    fc.record({ do: fc.constant('delete' as const), key }),
    fc.record({ do: fc.constant('drop' as const), tag }),
  );
  fc.assert(
    fc.property(fc.array(step), (steps) => {
      const cache = new TaggedCache<{ readonly tags: readonly string[] }>(4);
      for (const now of steps) {
        if (now.do === 'set') cache.set(now.key, { tags: now.tags }, now.tags);
        else if (now.do === 'delete') cache.delete(now.key);
        else cache.deleteTagged(now.tag);
        const held = ['a', 'b', 'c', 'd', 'e', 'f'].flatMap((each) => cache.get(each) ?? []);
        if (now.do === 'set') assert.deepEqual(cache.get(now.key), { tags: now.tags });
        if (now.do === 'drop') assert.ok(held.every((value) => !value.tags.includes(now.tag)));
        const tags = new Set(held.flatMap((value) => value.tags)).size;
        assert.deepEqual(cache.size(), { entries: held.length, tags });
        assert.ok(held.length <= 4);
      }
    }),
  );
});
