import type { MessageInitShape } from '@bufbuild/protobuf';
import type {
  CWObjectBucketSettings,
  CWObjectBucketSettingsSchema,
  OrganizationSettings as OrganizationSettingsMessage,
} from '../../proto/gen/coreweave/cwobject/v1/cwobject_pb.js';
import { Failure, invalidField } from '../core/index.ts';
import type { BucketSettingsRecord, OrganizationEntitlements, OrganizationSettings } from '../store/index.ts';

/**
 * Checks of contract control-plane 3.11, in its order; they come before the bucket is looked up. Fails `denied`,
 * `invalid`.
 */
export function checkBucketSettings(sent: CWObjectBucketSettings, entitlements: OrganizationEntitlements): void {
  const { archiveEnabled, archiveAfterLastAccessDays: days } = sent;
  if (archiveEnabled === undefined && days === undefined) return;
  const { archive } = entitlements;
  if (archive === undefined)
    throw new Failure('denied', 'this organization does not have the feature BucketArchive; ask its operator for it');
  if (archiveEnabled === true && days === undefined)
    throw invalidField('settings.archiveAfterLastAccessDays', 'is required when archiveEnabled is true');
  if (days !== undefined && days < archive.daysMin)
    throw invalidField('settings.archiveAfterLastAccessDays', `must be at least ${archive.daysMin}`);
}

/** Absent fields keep their value; switching archive off forgets the days. */
export function patchBucketSettings(stored: BucketSettingsRecord, sent: CWObjectBucketSettings): BucketSettingsRecord {
  const { archiveAfterLastAccessDays: oldDays, ...kept } = stored;
  const days = sent.archiveEnabled === false ? undefined : (sent.archiveAfterLastAccessDays ?? oldDays);
  return {
    ...kept,
    ...(sent.auditLoggingEnabled === undefined ? {} : { auditLoggingEnabled: sent.auditLoggingEnabled }),
    ...(sent.archiveEnabled === undefined ? {} : { archiveEnabled: sent.archiveEnabled }),
    ...(days === undefined ? {} : { archiveAfterLastAccessDays: days }),
    ...(sent.capacityCapBytes === undefined ? {} : { capacityCapBytes: sent.capacityCapBytes }),
  };
}

/** What is in force. Organizations without the archive entitlement never see archive fields. */
export function bucketSettingsMessage(
  stored: BucketSettingsRecord | undefined,
  entitlements: OrganizationEntitlements,
): MessageInitShape<typeof CWObjectBucketSettingsSchema> {
  const { auditLoggingEnabled, archiveEnabled, archiveAfterLastAccessDays, capacityCapBytes } = stored ?? {};
  const entitled = entitlements.archive !== undefined;
  return {
    ...(auditLoggingEnabled === undefined ? {} : { auditLoggingEnabled }),
    ...(entitled && archiveEnabled !== undefined ? { archiveEnabled } : {}),
    ...(entitled && archiveAfterLastAccessDays !== undefined ? { archiveAfterLastAccessDays } : {}),
    ...(capacityCapBytes === undefined ? {} : { configuredCapacityCapBytes: capacityCapBytes }),
  };
}

export function patchOrganizationSettings(
  stored: OrganizationSettings,
  sent: OrganizationSettingsMessage,
): OrganizationSettings {
  const { controlPlaneAuditLoggingEnabled, bucketAuditLoggingEnabled } = sent;
  return {
    ...stored,
    ...(controlPlaneAuditLoggingEnabled === undefined ? {} : { controlPlaneAuditLoggingEnabled }),
    ...(bucketAuditLoggingEnabled === undefined ? {} : { bucketAuditLoggingEnabled }),
  };
}
