import type { BucketDirectory, BucketEntry } from '../control/index.ts';
import type { ObjectEngine } from '../engine/index.ts';

/** What the control plane may know of buckets, answered by the engine. */
export function createBucketDirectory(engine: ObjectEngine): BucketDirectory {
  return {
    async find(orgId: string, name: string): Promise<BucketEntry | undefined> {
      const bucket = await engine.findBucket(name);
      return bucket?.orgId === orgId ? bucket : undefined;
    },
    // Buckets per organization are few (1,000), so an offset is walked.
    async list(orgId, page) {
      const found = await engine.listBuckets({ orgId, limit: page.offset + page.limit });
      return found.buckets.slice(page.offset);
    },
    usage: (bucket) => engine.bucketUsage(bucket),
  };
}
