import { Failure, type Sealer } from '../core/index.ts';
import type { MetaRecords } from '../store/index.ts';

const PROBE_NAME = 'master-key-probe';
const PROBE_CONTEXT = ['installation', 'master-key-probe'];
const PROBE_TEXT = 'this installation was sealed with the master key that opens this text';

/**
 * Proves that the master key is the one that this installation was sealed with (threat K-07): the first start writes a
 * sealed probe, every later one opens it. Fails `failed-precondition`; the server must not start then, or it would
 * refuse every key and write records that the right key cannot open. Call it inside a transaction
 * (`store.transact((records) => verifyMasterKey(records.meta, sealer))`) when two processes may start at once.
 */
export async function verifyMasterKey(meta: MetaRecords, sealer: Sealer): Promise<void> {
  const probe = await meta.get(PROBE_NAME);
  if (probe === undefined) {
    await meta.set(PROBE_NAME, sealer.seal(Buffer.from(PROBE_TEXT), PROBE_CONTEXT));
    return;
  }
  if (!opens(sealer, probe)) {
    throw new Failure(
      'failed-precondition',
      'the master key is not the one that this data was sealed with: start with the original master key file ' +
        '(SALLYPORT_MASTER_KEY_FILE), or with an empty database',
    );
  }
}

function opens(sealer: Sealer, probe: Uint8Array): boolean {
  try {
    return Buffer.from(sealer.open(probe, PROBE_CONTEXT)).toString() === PROBE_TEXT;
  } catch (error) {
    if (error instanceof Failure) return false;
    throw error;
  }
}
