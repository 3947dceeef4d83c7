import { type Timestamp, timestampDate } from '@bufbuild/protobuf/wkt';
import type {
  AccessKeyInfo,
  ApiToken,
  BucketInfo,
  CWObjectBucketSettings,
  CWObjectPolicy,
  Organization,
  User,
} from '../sdk/index.ts';

/*
 * What `--json` prints. These shapes are a promise to scripts: members may be added, none is renamed or changes its
 * type. Times are RFC 3339 in UTC with whole seconds; `null` means "none" (no expiry, never used). cli/README.md lists
 * the shape of every command.
 */

function timeShape(time: Timestamp | undefined): string | null {
  return time === undefined ? null : dateShape(timestampDate(time));
}

export function dateShape(date: Date): string {
  return `${new Date(Math.floor(date.getTime() / 1000) * 1000).toISOString().slice(0, 19)}Z`;
}

/** Permanent keys have no expiry; the hosted service's HTTP/JSON form of the same is the year 1970, others use year 1. */
export function expiryShape(time: Timestamp | undefined): string | null {
  return time === undefined || time.seconds <= 0n ? null : timeShape(time);
}

const STATUS_WORDS: Readonly<Record<string, string>> = {
  ACTIVE: 'active',
  ACCESS_KEY_STATUS_ACTIVE: 'active',
  FULL_SUSPENDED: 'suspended',
  SUSPENDED: 'suspended',
  ACCESS_KEY_STATUS_SUSPENDED: 'suspended',
  EXPIRED: 'expired',
  DELETED: 'revoked',
};

export function keyShape(info: AccessKeyInfo) {
  return {
    id: info.accessKeyId,
    status: STATUS_WORDS[info.status] ?? info.status.toLowerCase(),
    principal: info.principalName,
    expires: expiryShape(info.expiry),
    attributes: info.attributes,
    orgId: info.orgId,
  };
}

export function tokenShape(token: ApiToken) {
  return {
    id: token.id,
    userId: token.userId,
    name: token.name,
    note: token.note,
    created: timeShape(token.createTime),
    expires: timeShape(token.expireTime),
    lastUsed: timeShape(token.lastUsedTime),
  };
}

/** The document as policies are written, ready for `policy ensure`. */
export function policyShape(policy: CWObjectPolicy) {
  return {
    version: policy.version,
    name: policy.name,
    statements: policy.statements.map(({ name, effect, actions, resources, principals }) => ({
      name,
      effect,
      actions,
      resources,
      principals,
    })),
  };
}

/** Members that were never set, or that the organization is not entitled to, are null. */
export function bucketSettingsShape(settings: CWObjectBucketSettings | undefined) {
  const cap = settings?.configuredCapacityCapBytes;
  return {
    auditLogging: settings?.auditLoggingEnabled ?? null,
    archive: settings?.archiveEnabled ?? null,
    archiveAfterDays: settings?.archiveAfterLastAccessDays ?? null,
    capacityCapBytes: cap === undefined ? null : Number(cap),
  };
}

export function bucketShape(info: BucketInfo) {
  return {
    name: info.name,
    zone: info.location,
    created: timeShape(info.creationTime),
    orgId: info.orgId,
    settings: bucketSettingsShape(info.settings),
    usage: info.usage.map(({ measurementType, value, valueHumanReadable }) => ({
      type: measurementType,
      value: Number(value),
      text: valueHumanReadable,
    })),
  };
}

export function organizationShape(organization: Organization | undefined) {
  return {
    id: organization?.id ?? '',
    name: organization?.name ?? '',
    created: timeShape(organization?.createTime),
    entitlements: { archiveDaysMin: organization?.entitlements?.archiveDaysMin ?? null },
  };
}

export function userShape(user: User | undefined) {
  return {
    id: user?.id ?? '',
    principal: user?.principalName ?? '',
    name: user?.name ?? '',
    displayName: user?.displayName ?? '',
    active: user?.active ?? false,
    roles: user?.roles ?? [],
    groups: user?.groups ?? [],
    orgId: user?.orgId ?? '',
    created: timeShape(user?.createTime),
  };
}
