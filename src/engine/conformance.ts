import { after, before, describe } from 'node:test';
import { bucketTests } from './conformance/buckets.ts';
import { completionTests } from './conformance/completion.ts';
import { conditionTests } from './conformance/conditions.ts';
import { listingTests } from './conformance/listing.ts';
import { objectTests } from './conformance/objects.ts';
import type { Subject } from './conformance/subject.ts';
import { uploadTests } from './conformance/uploads.ts';
import type { ObjectEngine } from './engine.ts';

/**
 * Registers `node:test` tests of the whole port for one implementation. Every test makes buckets of its own with random
 * names, so one engine serves them all and may hold other data; it is closed at the end.
 */
export function engineConformance(name: string, makeEngine: () => Promise<ObjectEngine>): void {
  describe(`engine conformance: ${name}`, () => {
    let engine: ObjectEngine | undefined;
    const subject: Subject = {
      get engine() {
        if (!engine) throw new Error('the engine is made before the first test');
        return engine;
      },
    };
    before(async () => {
      engine = await makeEngine();
    });
    after(async () => {
      await engine?.close();
    });
    bucketTests(subject);
    objectTests(subject);
    conditionTests(subject);
    listingTests(subject);
    uploadTests(subject);
    completionTests(subject);
  });
}
