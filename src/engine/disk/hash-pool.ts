import { Worker } from 'node:worker_threads';
import { Failure } from '../../core/index.ts';
import type { HashAnswer, HashRequest } from './hash-worker.ts';

interface Waiter {
  readonly resolve: (answer: HashAnswer) => void;
  readonly reject: (reason: unknown) => void;
}

interface Member {
  readonly worker: Worker;
  readonly waiting: Map<number, Waiter[]>;
  /** Why the thread is gone. Nothing posted to it would ever be answered. */
  ended: Failure | undefined;
}

/** MD5 of one body, computed on another thread. Calls are answered in order. */
export interface RemoteHash {
  /** Settles when the memory may be used again. */
  update(memory: SharedArrayBuffer, size: number): Promise<void>;
  digest(): Promise<Uint8Array>;
  /** The result is not wanted any more. Idempotent. */
  drop(): void;
}

/**
 * Threads that compute MD5, the slowest step of a large write (0.6 GB/s per core). Started with the first body; they do
 * not keep the process alive.
 */
export class HashPool {
  readonly #size: number;
  readonly #members: Member[] = [];
  #next = 0;
  #jobs = 0;

  constructor(size: number) {
    this.#size = size;
  }

  begin(): RemoteHash {
    const member = this.#member();
    this.#jobs += 1;
    const job = this.#jobs;
    let open = true;
    const ask = (request: HashRequest) =>
      new Promise<HashAnswer>((resolve, reject) => {
        if (member.ended) {
          reject(member.ended);
          return;
        }
        const waiters = member.waiting.get(job);
        if (waiters) waiters.push({ resolve, reject });
        else member.waiting.set(job, [{ resolve, reject }]);
        member.worker.postMessage(request);
      });
    return {
      update: async (memory, size) => {
        await ask({ kind: 'block', job, memory, size });
      },
      digest: async () => {
        open = false;
        const { digest } = await ask({ kind: 'end', job });
        if (!digest) throw new Failure('internal', 'The hash thread gave no result.');
        return digest;
      },
      drop: () => {
        if (open) member.worker.postMessage({ kind: 'drop', job } satisfies HashRequest);
        open = false;
      },
    };
  }

  #member(): Member {
    const at = this.#next++ % this.#size;
    this.#members[at] ??= this.#start(at);
    return this.#members[at];
  }

  #start(at: number): Member {
    const worker = new Worker(new URL('./hash-worker.ts', import.meta.url));
    worker.unref();
    const member: Member = { worker, waiting: new Map(), ended: undefined };
    worker.on('message', (answer: HashAnswer) => {
      const waiters = member.waiting.get(answer.job);
      const waiter = waiters?.shift();
      if (waiters?.length === 0) member.waiting.delete(answer.job);
      waiter?.resolve(answer);
    });
    worker.on('error', (cause) => {
      delete this.#members[at];
      const failure = new Failure('internal', 'A hash thread ended unexpectedly. Try again.', { cause });
      member.ended = failure;
      for (const waiters of member.waiting.values()) for (const waiter of waiters) waiter.reject(failure);
      member.waiting.clear();
    });
    return member;
  }

  async close(): Promise<void> {
    await Promise.all(this.#members.map((member) => member?.worker.terminate()));
    this.#members.length = 0;
  }
}
