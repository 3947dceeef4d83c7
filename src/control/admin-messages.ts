import type { MessageInitShape } from '@bufbuild/protobuf';
import { timestampFromMs, timestampMs } from '@bufbuild/protobuf/wkt';
import type {
  ApiTokenSchema,
  Entitlements,
  OrganizationSchema,
  UserSchema,
} from '../../proto/gen/sallyport/admin/v1/admin_pb.js';
import { type Instant, invalidField, principalName } from '../core/index.ts';
import {
  type ApiTokenRecord,
  type OrganizationEntitlements,
  type OrganizationRecord,
  USER_ROLES,
  type UserRecord,
  type UserRole,
} from '../store/index.ts';

/** Records of the domain ↔ messages of `sallyport.admin.v1`. No rules here but the forms of values. */
export function organizationMessage(record: OrganizationRecord): MessageInitShape<typeof OrganizationSchema> {
  const { archive } = record.entitlements;
  return {
    id: record.id,
    name: record.name,
    createTime: timestampFromMs(record.createdAt),
    entitlements: archive === undefined ? {} : { archiveDaysMin: archive.daysMin },
  };
}

export function userMessage(record: UserRecord): MessageInitShape<typeof UserSchema> {
  return {
    id: record.id,
    orgId: record.orgId,
    name: record.name,
    displayName: record.displayName,
    active: record.active,
    roles: [...record.roles],
    groups: [...record.groups],
    createTime: timestampFromMs(record.createdAt),
    principalName: principalName({ kind: 'user', uid: record.id }),
  };
}

/** Never the hash, and the secret is not in the record. */
export function apiTokenMessage(record: ApiTokenRecord): MessageInitShape<typeof ApiTokenSchema> {
  return {
    id: record.id,
    userId: record.userId,
    name: record.name,
    note: record.note,
    createTime: timestampFromMs(record.createdAt),
    ...(record.expiresAt === undefined ? {} : { expireTime: timestampFromMs(record.expiresAt) }),
    ...(record.lastUsedAt === undefined ? {} : { lastUsedTime: timestampFromMs(record.lastUsedAt) }),
  };
}

export function readRoles(roles: readonly string[]): readonly UserRole[] {
  return roles.map((role, index) => {
    const known = USER_ROLES.find((candidate) => candidate === role);
    if (known === undefined) throw invalidField(`roles[${index}]`, `must be one of ${USER_ROLES.join(', ')}`);
    return known;
  });
}

export function readEntitlements(message: Entitlements): OrganizationEntitlements {
  const { archiveDaysMin: daysMin } = message;
  if (daysMin === 0) throw invalidField('entitlements.archiveDaysMin', 'must be at least 1');
  return daysMin === undefined ? {} : { archive: { daysMin } };
}

export function readInstant(field: string, time: Parameters<typeof timestampMs>[0]): Instant {
  const instant = timestampMs(time);
  if (!Number.isSafeInteger(Math.round(instant))) throw invalidField(field, 'is out of range');
  return Math.round(instant);
}
