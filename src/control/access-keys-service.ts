import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { type Timestamp, TimestampSchema, timestampFromMs } from '@bufbuild/protobuf/wkt';
import {
  type AccessKeyInfoSchema,
  AccessKeyStatus,
  type CWObject,
} from '../../proto/gen/coreweave/cwobject/v1/cwobject_pb.js';
import { Failure, type Instant, invalidField } from '../core/index.ts';
import { isAccessKeyId, type KeyInfo } from '../keys/index.ts';
import type { AccessKeyStatus as StoredStatus } from '../store/index.ts';
import type { Handlers, Protocol } from './call.ts';
import { readPage } from './paging.ts';
import type { ControlPorts } from './ports.ts';

type Methods =
  | 'createAccessKeyFromJWT'
  | 'listAccessKeyInfo'
  | 'getAccessKeyInfo'
  | 'updateAccessKeyStatus'
  | 'revokeAccessKeyByAccessKey'
  | 'revokeAccessKeysByPrincipal';

/** Access keys: contract control-plane 3.2 to 3.5, 3.13, 3.14. Whose key it is comes from the token alone (K-05). */
export function accessKeysService({ keys }: Pick<ControlPorts, 'keys'>): Pick<Handlers<typeof CWObject>, Methods> {
  return {
    async createAccessKeyFromJWT(request, { authenticated, exchange }) {
      const { durationSeconds } = request;
      if (durationSeconds === undefined) throw invalidField('durationSeconds', 'is required; 0 makes a permanent key');
      const { caller, tokenId } = authenticated;
      const issued = await keys.issue({
        orgId: caller.orgId,
        principal: caller.principal,
        source: 'token',
        durationSeconds,
        attributes: request.attributes,
        groups: caller.groups ?? [],
        apiTokenId: tokenId,
      });
      return {
        accessKeyId: issued.accessKeyId,
        secretKey: issued.secret,
        principalName: issued.principalName,
        attributes: { ...issued.attributes },
        ...expiryField(issued.expiresAt, exchange.protocol),
      };
    },
    async listAccessKeyInfo(request, { authenticated, exchange }) {
      const { offset, limit } = readPage(request);
      const status = readStatus(request.status);
      const filter = status === undefined ? {} : { status };
      const found = await keys.list(authenticated.caller.orgId, filter, offset, limit);
      return { info: found.map((info) => toMessage(info, exchange.protocol)) };
    },
    async getAccessKeyInfo(request, { authenticated, exchange }) {
      if (request.accessKeyId === '') throw invalidField('accessKeyId', 'is required');
      const info = await keys.find(authenticated.caller.orgId, request.accessKeyId);
      if (info === undefined) throw noSuchKey(request.accessKeyId);
      return { info: toMessage(info, exchange.protocol) };
    },
    async updateAccessKeyStatus(request, { authenticated }) {
      const status = readStatus(request.status);
      if (request.principalName === '') throw invalidField('principalName', 'is required');
      if (status === undefined)
        throw invalidField('status', 'must be ACCESS_KEY_STATUS_ACTIVE or ACCESS_KEY_STATUS_SUSPENDED');
      const { orgId, name } = authenticated.caller;
      await keys.setPrincipalStatus(orgId, request.principalName, status, name);
      return {};
    },
    async revokeAccessKeyByAccessKey(request, { authenticated }) {
      if (request.accessKey === '') throw invalidField('accessKey', 'is required: the access key ID');
      if (!isAccessKeyId(request.accessKey)) throw noSuchKey(request.accessKey);
      const { orgId, name } = authenticated.caller;
      await keys.revoke(orgId, request.accessKey, name);
      return {};
    },
    async revokeAccessKeysByPrincipal(request, { authenticated }) {
      if (request.principalName === '') throw invalidField('principalName', 'is required');
      const { orgId, name } = authenticated.caller;
      await keys.revokePrincipal(orgId, request.principalName, name);
      return {};
    },
  };
}

/** What was sent is named only when it has the form of an ID: people paste the secret here (contract C1, threat K-06). */
function noSuchKey(id: string): Failure {
  const resource = isAccessKeyId(id) ? { resource: { type: 'access key', name: id } } : {};
  return new Failure('not-found', 'there is no such access key in this organization', resource);
}

function readStatus(status: AccessKeyStatus): StoredStatus | undefined {
  switch (status) {
    case AccessKeyStatus.UNSPECIFIED:
      return undefined;
    case AccessKeyStatus.ACTIVE:
      return 'active';
    case AccessKeyStatus.SUSPENDED:
      return 'suspended';
    default:
      throw invalidField('status', 'is not a known status');
  }
}

/**
 * The documentation and released clients disagree, so each transport gets what its clients compare with: names of the
 * enum over HTTP/JSON (contract control-plane 3.4), words over Connect and gRPC (clients.md 2.5).
 */
const STATUS_TEXT: Readonly<Record<KeyInfo['state'], { readonly json: string; readonly rpc: string }>> = {
  active: { json: 'ACCESS_KEY_STATUS_ACTIVE', rpc: 'ACTIVE' },
  suspended: { json: 'ACCESS_KEY_STATUS_SUSPENDED', rpc: 'FULL_SUSPENDED' },
  expired: { json: 'ACCESS_KEY_STATUS_EXPIRED', rpc: 'EXPIRED' },
  revoked: { json: 'ACCESS_KEY_STATUS_DELETED', rpc: 'DELETED' },
};

function toMessage(info: KeyInfo, protocol: Protocol): MessageInitShape<typeof AccessKeyInfoSchema> {
  const text = STATUS_TEXT[info.state];
  const multi = Object.entries(info.multiAttributes).map(([name, values]) => [name, { values: [...values] }]);
  return {
    accessKeyId: info.accessKeyId,
    status: protocol === 'http-json' ? text.json : text.rpc,
    principalName: info.principalName,
    attributes: { ...info.attributes },
    orgId: info.orgId,
    multiAttributes: Object.fromEntries(multi),
    ...expiryField(info.expiresAt, protocol),
  };
}

/** Permanent: 1970 over HTTP/JSON as documented, nothing elsewhere as the Terraform provider needs it. */
function expiryField(expiresAt: Instant | undefined, protocol: Protocol): { expiry?: Timestamp } {
  if (expiresAt !== undefined) return { expiry: timestampFromMs(Math.floor(expiresAt / 1000) * 1000) };
  return protocol === 'http-json' ? { expiry: create(TimestampSchema) } : {};
}
