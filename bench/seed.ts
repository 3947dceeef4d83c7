import { type Body, keyOf, type Target } from './load/signer.ts';
import { s3 } from './peers/peer.ts';

/** Writes `count` objects with the same body, sixteen at a time. Fails with the first refusal. */
export async function seedAll(target: Target, prefix: string, count: number, body: Body): Promise<void> {
  let next = 0;
  const writer = async (): Promise<void> => {
    while (next < count) {
      const index = next++;
      await s3(target, 'PUT', `/${target.bucket}/${keyOf(prefix, index)}`, body);
    }
  };
  await Promise.all(Array.from({ length: body.bytes.length > 1 << 20 ? 2 : 16 }, writer));
}
