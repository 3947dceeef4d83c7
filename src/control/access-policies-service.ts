import type { Message } from '@bufbuild/protobuf';
import type { CWObject, CWObjectPolicy } from '../../proto/gen/coreweave/cwobject/v1/cwobject_pb.js';
import { Failure, invalidField, KEY_BYTES_MAX } from '../core/index.ts';
import { decideCanI, type OrganizationPolicy, parseOrganizationPolicy } from '../policy/index.ts';
import type { Handlers } from './call.ts';
import type { ControlPorts } from './ports.ts';

type Methods = 'authCanI' | 'listAccessPolicies' | 'ensureAccessPolicy' | 'deleteAccessPolicy';
type Ports = Pick<ControlPorts, 'store' | 'policySets' | 'events' | 'clock'>;

/**
 * Questions asked of can-i at once: every action is paired with every resource, and anybody with a token may ask, so both
 * limits bound how long one call keeps everybody else waiting (threat P-15).
 */
const CAN_I_PAIRS_MAX = 1000;
/** Characters; no action, and no bucket with a key, is longer. */
const CAN_I_TEXT_MAX = 64 + KEY_BYTES_MAX;

/** Organization policies and can-i: contract control-plane 3.1, 3.6 to 3.8. */
export function accessPoliciesService(ports: Ports): Pick<Handlers<typeof CWObject>, Methods> {
  const { store, events, clock } = ports;
  return {
    async authCanI(request, { authenticated }) {
      const { actions, resources } = request;
      if (actions.length === 0) throw invalidField('actions', 'at least one is required');
      if (resources.length === 0) throw invalidField('resources', 'at least one is required; "*" means every resource');
      if (actions.length * resources.length > CAN_I_PAIRS_MAX)
        throw invalidField('actions', `at most ${CAN_I_PAIRS_MAX} pairs of action and resource can be asked at once`);
      for (const [field, texts] of Object.entries({ actions, resources }))
        if (texts.some((text) => text.length > CAN_I_TEXT_MAX))
          throw invalidField(field, `must be at most ${CAN_I_TEXT_MAX} characters each`);
      const { caller, user } = authenticated;
      const set = await ports.policySets.forOrganization(caller.orgId);
      const may = (action: string, resource: string): boolean =>
        decideCanI({ caller, action, resource }, { caller: set, roles: user.roles });
      return { verdict: actions.every((action) => resources.every((resource) => may(action, resource))) };
    },
    async listAccessPolicies(_request, { authenticated }) {
      const records = await store.policies.list(authenticated.caller.orgId);
      return { policies: records.map((record) => toMessage(JSON.parse(record.document) as OrganizationPolicy)) };
    },
    async ensureAccessPolicy(request, { authenticated }) {
      if (request.policy === undefined) throw invalidField('policy', 'is required; the document goes inside it');
      refuseUnknownFields([request, request.policy, ...request.policy.statements]);
      const policy = parseOrganizationPolicy(toPlain(request.policy));
      const { orgId, name: actor } = authenticated.caller;
      const now = clock.now();
      const document = JSON.stringify(policy);
      await store.policies.ensure({ orgId, name: policy.name, document, createdAt: now, updatedAt: now });
      events.policyChanged({ orgId, actor, scope: 'organization', name: policy.name, change: 'ensured' });
      return {};
    },
    async deleteAccessPolicy(request, { authenticated }) {
      const { name } = request;
      const { orgId, name: actor } = authenticated.caller;
      if (name === '') throw invalidField('name', 'is required');
      if (!(await store.policies.remove(orgId, name)))
        throw new Failure('not-found', 'no access policy of this name', { resource: { type: 'access policy', name } });
      events.policyChanged({ orgId, actor, scope: 'organization', name, change: 'deleted' });
      return {};
    },
  };
}

/** JSON readers refuse unknown members by themselves; binary messages carry them along silently (threat K-10). */
function refuseUnknownFields(messages: readonly Message[]): void {
  if (messages.some((message) => message.$unknown !== undefined && message.$unknown.length > 0))
    throw invalidField('policy', 'has fields that this server does not know; nothing was changed');
}

function toPlain(policy: CWObjectPolicy): OrganizationPolicy {
  const statements = policy.statements.map(({ name, effect, actions, resources, principals }) => ({
    name,
    effect: effect as 'Allow' | 'Deny',
    actions,
    resources,
    principals,
  }));
  return { version: policy.version as 'v1alpha1', name: policy.name, statements };
}

function toMessage({ version, name, statements }: OrganizationPolicy) {
  const copied = statements.map((statement) => ({
    name: statement.name,
    effect: statement.effect as string,
    actions: [...statement.actions],
    resources: [...statement.resources],
    principals: [...statement.principals],
  }));
  return { version: version as string, name, statements: copied };
}
