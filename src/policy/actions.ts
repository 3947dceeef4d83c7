/**
 * What the decision has to know of action names. Names are compared in lower case throughout (contract
 * control-plane 7.5 and C6: published spellings differ in case).
 */

/** Published spellings of one action: spoken form → the form that is asked for (contract C5). */
const SPELLINGS = new Map([['cwobject:createaccesskeyfromoidc', 'cwobject:createaccesskeyoidc']]);
const OTHER_SPELLING = new Map([...SPELLINGS].map(([other, canonical]) => [canonical, other]));

export function canonicalAction(action: string): string {
  const lower = action.toLowerCase();
  return SPELLINGS.get(lower) ?? lower;
}

/** The second published spelling of a canonical action, which wildcard patterns may have been written for. */
export function otherSpelling(canonical: string): string | undefined {
  return OTHER_SPELLING.get(canonical);
}

/** Actions on no bucket in particular: the statement needs resource `*`, and only organization policies count (7.4). */
export function isGlobalAction(canonical: string): boolean {
  return canonical.startsWith('cwobject:') || canonical === 's3:listallmybuckets';
}

const POLICY_REPAIR: ReadonlySet<string> = new Set([
  'cwobject:listaccesspolicy',
  'cwobject:ensureaccesspolicy',
  'cwobject:deleteaccesspolicy',
]);

/**
 * What the role Object Storage Admin has even against a Deny (contract control-plane 5 and 7.4: "internal static policy"):
 * otherwise one policy that refuses `cwobject:*` to everybody could never be taken back.
 */
export function isPolicyRepair(canonical: string): boolean {
  return POLICY_REPAIR.has(canonical);
}

/** Never looks at the bucket policy, so that nobody locks himself out (7.4). */
export const PUT_BUCKET_POLICY = 's3:putbucketpolicy';
export const DELETE_BUCKET_POLICY = 's3:deletebucketpolicy';
/** There is no bucket yet, hence no bucket policy. */
export const CREATE_BUCKET = 's3:createbucket';

/**
 * Actions that a bucket policy may name, lower case: those of the AWS service authorization reference that act on a
 * bucket or an object. A name that is not here is a typing error or newer than this server; it is refused when the
 * policy is stored instead of silently never matching (threat A-05).
 */
export const BUCKET_POLICY_ACTIONS: ReadonlySet<string> = new Set(
  `AbortMultipartUpload BypassGovernanceRetention CreateBucket CreateBucketMetadataTableConfiguration DeleteBucket
  DeleteBucketMetadataTableConfiguration DeleteBucketOwnershipControls DeleteBucketPolicy DeleteBucketWebsite DeleteObject
  DeleteObjectTagging DeleteObjectVersion DeleteObjectVersionTagging GetAccelerateConfiguration GetAnalyticsConfiguration
  GetBucketAcl GetBucketCORS GetBucketLocation GetBucketLogging GetBucketMetadataTableConfiguration GetBucketNotification
  GetBucketObjectLockConfiguration GetBucketOwnershipControls GetBucketPolicy GetBucketPolicyStatus
  GetBucketPublicAccessBlock GetBucketRequestPayment GetBucketTagging GetBucketVersioning GetBucketWebsite
  GetEncryptionConfiguration GetIntelligentTieringConfiguration GetInventoryConfiguration GetLifecycleConfiguration
  GetBucketLifecycleConfiguration GetMetricsConfiguration GetObject GetObjectAcl GetObjectAttributes GetObjectLegalHold
  GetObjectRetention GetObjectTagging GetObjectTorrent GetObjectVersion GetObjectVersionAcl GetObjectVersionAttributes
  GetObjectVersionForReplication GetObjectVersionTagging GetObjectVersionTorrent GetReplicationConfiguration
  InitiateReplication ListBucket ListBucketMultipartUploads ListBucketVersions ListMultipartUploadParts
  ObjectOwnerOverrideToBucketOwner PutAccelerateConfiguration PutAnalyticsConfiguration PutBucketAcl PutBucketCORS
  PutBucketLifecycleConfiguration PutBucketLogging PutBucketNotification PutBucketObjectLockConfiguration
  PutBucketOwnershipControls PutBucketPolicy PutBucketPublicAccessBlock PutBucketRequestPayment PutBucketTagging
  PutBucketVersioning PutBucketWebsite PutEncryptionConfiguration PutIntelligentTieringConfiguration
  PutInventoryConfiguration PutLifecycleConfiguration PutMetricsConfiguration PutObject PutObjectAcl PutObjectLegalHold
  PutObjectRetention PutObjectTagging PutObjectVersionAcl PutObjectVersionTagging PutReplicationConfiguration RenameObject
  ReplicateDelete ReplicateObject ReplicateTags RestoreObject UpdateBucketMetadataInventoryTableConfiguration`
    .split(/\s+/)
    .map((name) => `s3:${name.toLowerCase()}`),
);
