import { createHash, type Hash } from 'node:crypto';
import { parentPort } from 'node:worker_threads';

/** Hashes blocks of shared memory; one message per block, answered when the block may be overwritten. */
export type HashRequest =
  | { readonly kind: 'block'; readonly job: number; readonly memory: SharedArrayBuffer; readonly size: number }
  | { readonly kind: 'end'; readonly job: number }
  | { readonly kind: 'drop'; readonly job: number };

export interface HashAnswer {
  readonly job: number;
  /** Present in the answer to `end`. */
  readonly digest?: Uint8Array;
}

const running = new Map<number, Hash>();

parentPort?.on('message', (request: HashRequest) => {
  const { job } = request;
  let hash = running.get(job);
  if (!hash) {
    hash = createHash('md5');
    running.set(job, hash);
  }
  if (request.kind === 'block') {
    hash.update(new Uint8Array(request.memory, 0, request.size));
    parentPort?.postMessage({ job } satisfies HashAnswer);
    return;
  }
  running.delete(job);
  if (request.kind === 'end') parentPort?.postMessage({ job, digest: hash.digest() } satisfies HashAnswer);
});
