import type { Awaitable } from '../core/index.ts';
import {
  type CompiledOrganizationPolicies,
  compileOrganizationPolicies,
  type OrganizationPolicy,
  parseOrganizationPolicy,
  unreadableOrganizationPolicy,
} from '../policy/index.ts';
import type { ControlStore, PolicyRecord } from '../store/index.ts';

/** Compiled organization policies, by organization, current at every moment. */
export interface PolicySets {
  /** From memory unless a policy of the organization changed since; then from the store, whole (threat K-11). */
  forOrganization(orgId: string): Awaitable<CompiledOrganizationPolicies>;
  /** Ends the subscription to the store. */
  close(): void;
}

/** Organizations kept compiled at once; the one loaded longest ago makes room. */
const ORGANIZATIONS_MAX = 10_000;

interface Slot {
  /** Set while the loaded value is valid. */
  loaded?: { readonly set: CompiledOrganizationPolicies };
  loading?: Promise<CompiledOrganizationPolicies>;
  /** Counts changes heard, so that a load that a change has overtaken starts again. */
  changes: number;
}

function outdate(slot: Slot): void {
  slot.changes += 1;
  delete slot.loaded;
}

/**
 * A stored policy that can no longer be read is replaced by one that denies (threat A-05); `unreadable` hears of it.
 */
export function createPolicySets(
  store: Pick<ControlStore, 'policies' | 'subscribe'>,
  unreadable: (record: PolicyRecord, error: unknown) => void = () => {},
): PolicySets {
  const read = (record: PolicyRecord): OrganizationPolicy => {
    try {
      return parseOrganizationPolicy(JSON.parse(record.document));
    } catch (error) {
      unreadable(record, error);
      return unreadableOrganizationPolicy(record.name);
    }
  };
  const slots = new Map<string, Slot>();
  const unsubscribe = store.subscribe((change) => {
    if (change.kind === 'missed') slots.forEach(outdate);
    if (change.kind !== 'policy') return;
    const slot = slots.get(change.orgId);
    if (slot !== undefined) outdate(slot);
  });

  async function load(orgId: string, slot: Slot): Promise<CompiledOrganizationPolicies> {
    try {
      for (;;) {
        const seen = slot.changes;
        const records = await store.policies.list(orgId);
        if (slot.changes !== seen) continue;
        const set = compileOrganizationPolicies(records.map(read));
        slot.loaded = { set };
        return set;
      }
    } finally {
      delete slot.loading;
    }
  }

  function slotOf(orgId: string): Slot {
    const known = slots.get(orgId);
    if (known !== undefined) return known;
    if (slots.size >= ORGANIZATIONS_MAX) slots.delete(slots.keys().next().value as string);
    const slot: Slot = { changes: 0 };
    slots.set(orgId, slot);
    return slot;
  }

  return {
    forOrganization(orgId) {
      const slot = slotOf(orgId);
      if (slot.loaded !== undefined) return slot.loaded.set;
      slot.loading ??= load(orgId, slot);
      return slot.loading;
    },
    close: unsubscribe,
  };
}
