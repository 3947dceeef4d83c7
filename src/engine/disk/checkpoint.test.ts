import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Failure } from '../../core/index.ts';
import { Checkpointer, type CheckpointParts } from './checkpoint.ts';
import { systemError } from './fault-fs.test-support.ts';

test('D-05 while the index cannot be written, memory for what it lacks has an end', async () => {
  const state = { dirtyCount: 0, takeDirty: () => ({ writes: [], settle: () => {} }) };
  let broken = true;
  const parts = {
    index: {
      write: async () => {
        if (broken) throw systemError('ENOSPC', 'write');
      },
    },
    state,
    log: { durable: { place: { segment: 1, offset: 0 }, sequence: 1 } },
    files: { flushUnlinked: async () => {}, lowest: 1, next: 1, trash: new Set<number>() },
    intervalMs: 1e9,
    onWritten: () => {},
    onFailed: () => {},
  };
  const checkpointer = new Checkpointer(parts as unknown as CheckpointParts, new Set());
  await checkpointer.write();
  state.dirtyCount = 100_000;
  checkpointer.requireMemory();
  state.dirtyCount = 300_000;
  assert.throws(
    () => checkpointer.requireMemory(),
    (error) => error instanceof Failure && error.code === 'storage-full',
  );
  broken = false;
  await checkpointer.write();
  checkpointer.requireMemory();
  state.dirtyCount = 0;
  await checkpointer.close();
});
