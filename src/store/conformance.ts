import { describe, type TestContext, test } from 'node:test';
import { accessKeyTests } from './conformance/access-keys.ts';
import { changeTests } from './conformance/changes.ts';
import { identityTests } from './conformance/identity.ts';
import { policyTests } from './conformance/policies.ts';
import type { StoreTest } from './conformance/samples.ts';
import { transactionTests } from './conformance/transactions.ts';
import type { ControlStore } from './store.ts';

/**
 * The whole port as tests of `node:test`. `makeStore` answers an empty store that nobody else uses; it is closed after
 * the test, and `context.after` is there for whatever else has to go.
 */
export function storeConformance(name: string, makeStore: (context: TestContext) => Promise<ControlStore>): void {
  const check: StoreTest = (title, run) => {
    test(title, async (context) => {
      const store = await makeStore(context);
      try {
        await run(store);
      } finally {
        await store.close();
      }
    });
  };
  describe(`store conformance: ${name}`, () => {
    identityTests(check);
    accessKeyTests(check);
    policyTests(check);
    changeTests(check);
    transactionTests(check);
  });
}
