import type * as AwsClient from '@aws-sdk/client-s3';

export type S3Method = 'GET' | 'HEAD' | 'PUT' | 'POST' | 'DELETE' | 'OPTIONS';
export type S3PathKind = 'service' | 'bucket' | 'object';
export type S3BodyMode = 'none' | 'document' | 'stream';
export type S3OperationState = 'supported' | 'later' | 'unsupported';

/** One row: how an operation looks on the wire, what right it needs and whether we serve it. */
interface Row {
  readonly method: S3Method;
  readonly path: S3PathKind;
  /** Query parameters that must be present; the first one names the sub-resource. Empty for the plain operation. */
  readonly query: readonly string[];
  /** Header that must be present too (copies share method and path with uploads). */
  readonly header?: string;
  /** Absent = `s3:` and the name of the operation. */
  readonly action?: string;
  /** Right for a named version (`versionId`); operations without one refuse the parameter. */
  readonly versionAction?: string;
  /** `none` for account-wide actions, `new-bucket` for a name; otherwise the bucket or the object of the path. */
  readonly resource?: 'none' | 'new-bucket';
  /** `copy`: target with `action`, source with `s3:GetObject`. `per-key`: every key of the body by itself. */
  readonly authorize?: 'copy' | 'per-key';
  readonly body?: S3BodyMode;
  readonly success?: number;
  readonly state: S3OperationState;
}

type RowOptions = Omit<Row, 'method' | 'path' | 'query' | 'action' | 'state'>;

interface ServedRow extends Row {
  readonly state: 'supported';
}

const NOTHING: RowOptions = {};

function serves(
  method: S3Method,
  path: S3PathKind,
  query: readonly string[],
  action: string,
  options: RowOptions = NOTHING,
): ServedRow {
  return { method, path, query, action, state: 'supported', ...options };
}

function later(method: S3Method, path: S3PathKind, query: readonly string[], action: string): Row {
  return { method, path, query, action, state: 'later' };
}

function refuses(method: S3Method, path: S3PathKind, query: readonly string[]): Row {
  return { method, path, query, state: 'unsupported' };
}

/** Operations of other hosts (directory buckets' control endpoint, Object Lambda), which cannot arrive here. */
type ElsewhereOperation = 'ListDirectoryBuckets' | 'WriteGetObjectResponse';

/** Every operation that AWS's own client knows, and the two that only browsers send. A missing row does not compile. */
type KnownOperation =
  | Exclude<
      keyof typeof AwsClient extends infer N ? (N extends `${infer O}Command` ? O : never) : never,
      '$' | ElsewhereOperation
    >
  | 'PostObject'
  | 'PreflightObject'
  | 'PreflightBucket';

/**
 * The truth about S3 operations: router, authorization, metric names and the support matrix are read from it
 * (AWS "S3 API reference", contract S3 section 3).
 */
const TABLE = {
  // Served.
  AbortMultipartUpload: serves('DELETE', 'object', ['uploadId'], 's3:AbortMultipartUpload', { success: 204 }),
  CompleteMultipartUpload: serves('POST', 'object', ['uploadId'], 's3:PutObject', { body: 'document' }),
  CopyObject: serves('PUT', 'object', [], 's3:PutObject', { header: 'x-amz-copy-source', authorize: 'copy' }),
  CreateBucket: serves('PUT', 'bucket', [], 's3:CreateBucket', { body: 'document', resource: 'new-bucket' }),
  CreateMultipartUpload: serves('POST', 'object', ['uploads'], 's3:PutObject'),
  DeleteBucket: serves('DELETE', 'bucket', [], 's3:DeleteBucket', { success: 204 }),
  DeleteBucketPolicy: serves('DELETE', 'bucket', ['policy'], 's3:DeleteBucketPolicy', { success: 204 }),
  DeleteObject: serves('DELETE', 'object', [], 's3:DeleteObject', {
    versionAction: 's3:DeleteObjectVersion',
    success: 204,
  }),
  DeleteObjects: serves('POST', 'bucket', ['delete'], 's3:DeleteObject', { body: 'document', authorize: 'per-key' }),
  GetBucketLocation: serves('GET', 'bucket', ['location'], 's3:GetBucketLocation'),
  GetBucketPolicy: serves('GET', 'bucket', ['policy'], 's3:GetBucketPolicy'),
  GetBucketVersioning: serves('GET', 'bucket', ['versioning'], 's3:GetBucketVersioning'),
  GetObject: serves('GET', 'object', [], 's3:GetObject', { versionAction: 's3:GetObjectVersion' }),
  HeadBucket: serves('HEAD', 'bucket', [], 's3:ListBucket'),
  HeadObject: serves('HEAD', 'object', [], 's3:GetObject', { versionAction: 's3:GetObjectVersion' }),
  ListBuckets: serves('GET', 'service', [], 's3:ListAllMyBuckets', { resource: 'none' }),
  ListMultipartUploads: serves('GET', 'bucket', ['uploads'], 's3:ListBucketMultipartUploads'),
  ListObjects: serves('GET', 'bucket', [], 's3:ListBucket'),
  ListObjectsV2: serves('GET', 'bucket', ['list-type'], 's3:ListBucket'),
  ListParts: serves('GET', 'object', ['uploadId'], 's3:ListMultipartUploadParts'),
  PutBucketPolicy: serves('PUT', 'bucket', ['policy'], 's3:PutBucketPolicy', { body: 'document', success: 204 }),
  PutObject: serves('PUT', 'object', [], 's3:PutObject', { body: 'stream' }),
  UploadPart: serves('PUT', 'object', ['uploadId'], 's3:PutObject', { body: 'stream' }),
  UploadPartCopy: serves('PUT', 'object', ['uploadId'], 's3:PutObject', {
    header: 'x-amz-copy-source',
    authorize: 'copy',
  }),
  // Part of the product, not built yet.
  DeleteBucketInventoryConfiguration: later('DELETE', 'bucket', ['inventory'], 's3:PutInventoryConfiguration'),
  DeleteBucketLifecycle: later('DELETE', 'bucket', ['lifecycle'], 's3:PutBucketLifecycleConfiguration'),
  DeleteBucketTagging: later('DELETE', 'bucket', ['tagging'], 's3:PutBucketTagging'),
  DeleteObjectTagging: later('DELETE', 'object', ['tagging'], 's3:DeleteObjectTagging'),
  GetBucketInventoryConfiguration: later('GET', 'bucket', ['inventory', 'id'], 's3:GetInventoryConfiguration'),
  GetBucketLifecycleConfiguration: later('GET', 'bucket', ['lifecycle'], 's3:GetBucketLifecycleConfiguration'),
  GetBucketTagging: later('GET', 'bucket', ['tagging'], 's3:GetBucketTagging'),
  GetObjectAttributes: later('GET', 'object', ['attributes'], 's3:GetObjectAttributes'),
  GetObjectTagging: later('GET', 'object', ['tagging'], 's3:GetObjectTagging'),
  ListBucketInventoryConfigurations: later('GET', 'bucket', ['inventory'], 's3:GetInventoryConfiguration'),
  ListObjectVersions: later('GET', 'bucket', ['versions'], 's3:ListBucketVersions'),
  PutBucketInventoryConfiguration: later('PUT', 'bucket', ['inventory'], 's3:PutInventoryConfiguration'),
  PutBucketLifecycleConfiguration: later('PUT', 'bucket', ['lifecycle'], 's3:PutBucketLifecycleConfiguration'),
  PutBucketTagging: later('PUT', 'bucket', ['tagging'], 's3:PutBucketTagging'),
  PutBucketVersioning: later('PUT', 'bucket', ['versioning'], 's3:PutBucketVersioning'),
  PutObjectTagging: later('PUT', 'object', ['tagging'], 's3:PutObjectTagging'),
  RenameObject: later('PUT', 'object', ['renameObject'], 's3:PutObject'),
  // Not part of the product.
  CreateBucketMetadataConfiguration: refuses('POST', 'bucket', ['metadataConfiguration']),
  CreateBucketMetadataTableConfiguration: refuses('POST', 'bucket', ['metadataTable']),
  CreateSession: refuses('GET', 'bucket', ['session']),
  DeleteBucketAnalyticsConfiguration: refuses('DELETE', 'bucket', ['analytics']),
  DeleteBucketCors: refuses('DELETE', 'bucket', ['cors']),
  DeleteBucketEncryption: refuses('DELETE', 'bucket', ['encryption']),
  DeleteBucketIntelligentTieringConfiguration: refuses('DELETE', 'bucket', ['intelligent-tiering']),
  DeleteBucketMetadataConfiguration: refuses('DELETE', 'bucket', ['metadataConfiguration']),
  DeleteBucketMetadataTableConfiguration: refuses('DELETE', 'bucket', ['metadataTable']),
  DeleteBucketMetricsConfiguration: refuses('DELETE', 'bucket', ['metrics']),
  DeleteBucketOwnershipControls: refuses('DELETE', 'bucket', ['ownershipControls']),
  DeleteBucketReplication: refuses('DELETE', 'bucket', ['replication']),
  DeleteBucketWebsite: refuses('DELETE', 'bucket', ['website']),
  DeleteObjectAnnotation: refuses('DELETE', 'object', ['annotation']),
  DeletePublicAccessBlock: refuses('DELETE', 'bucket', ['publicAccessBlock']),
  GetBucketAbac: refuses('GET', 'bucket', ['abac']),
  GetBucketAccelerateConfiguration: refuses('GET', 'bucket', ['accelerate']),
  GetBucketAcl: refuses('GET', 'bucket', ['acl']),
  GetBucketAnalyticsConfiguration: refuses('GET', 'bucket', ['analytics', 'id']),
  GetBucketCors: refuses('GET', 'bucket', ['cors']),
  GetBucketEncryption: refuses('GET', 'bucket', ['encryption']),
  GetBucketIntelligentTieringConfiguration: refuses('GET', 'bucket', ['intelligent-tiering', 'id']),
  GetBucketLogging: refuses('GET', 'bucket', ['logging']),
  GetBucketMetadataConfiguration: refuses('GET', 'bucket', ['metadataConfiguration']),
  GetBucketMetadataTableConfiguration: refuses('GET', 'bucket', ['metadataTable']),
  GetBucketMetricsConfiguration: refuses('GET', 'bucket', ['metrics', 'id']),
  GetBucketNotificationConfiguration: refuses('GET', 'bucket', ['notification']),
  GetBucketOwnershipControls: refuses('GET', 'bucket', ['ownershipControls']),
  GetBucketPolicyStatus: refuses('GET', 'bucket', ['policyStatus']),
  GetBucketReplication: refuses('GET', 'bucket', ['replication']),
  GetBucketRequestPayment: refuses('GET', 'bucket', ['requestPayment']),
  GetBucketWebsite: refuses('GET', 'bucket', ['website']),
  GetObjectAcl: refuses('GET', 'object', ['acl']),
  GetObjectAnnotation: refuses('GET', 'object', ['annotation', 'annotationName']),
  GetObjectLegalHold: refuses('GET', 'object', ['legal-hold']),
  GetObjectLockConfiguration: refuses('GET', 'bucket', ['object-lock']),
  GetObjectRetention: refuses('GET', 'object', ['retention']),
  GetObjectTorrent: refuses('GET', 'object', ['torrent']),
  GetPublicAccessBlock: refuses('GET', 'bucket', ['publicAccessBlock']),
  ListBucketAnalyticsConfigurations: refuses('GET', 'bucket', ['analytics']),
  ListBucketIntelligentTieringConfigurations: refuses('GET', 'bucket', ['intelligent-tiering']),
  ListBucketMetricsConfigurations: refuses('GET', 'bucket', ['metrics']),
  ListObjectAnnotations: refuses('GET', 'object', ['annotation']),
  PutBucketAbac: refuses('PUT', 'bucket', ['abac']),
  PutBucketAccelerateConfiguration: refuses('PUT', 'bucket', ['accelerate']),
  PutBucketAcl: refuses('PUT', 'bucket', ['acl']),
  PutBucketAnalyticsConfiguration: refuses('PUT', 'bucket', ['analytics']),
  PutBucketCors: refuses('PUT', 'bucket', ['cors']),
  PutBucketEncryption: refuses('PUT', 'bucket', ['encryption']),
  PutBucketIntelligentTieringConfiguration: refuses('PUT', 'bucket', ['intelligent-tiering']),
  PutBucketLogging: refuses('PUT', 'bucket', ['logging']),
  PutBucketMetricsConfiguration: refuses('PUT', 'bucket', ['metrics']),
  PutBucketNotificationConfiguration: refuses('PUT', 'bucket', ['notification']),
  PutBucketOwnershipControls: refuses('PUT', 'bucket', ['ownershipControls']),
  PutBucketReplication: refuses('PUT', 'bucket', ['replication']),
  PutBucketRequestPayment: refuses('PUT', 'bucket', ['requestPayment']),
  PutBucketWebsite: refuses('PUT', 'bucket', ['website']),
  PutObjectAcl: refuses('PUT', 'object', ['acl']),
  PutObjectAnnotation: refuses('PUT', 'object', ['annotation']),
  PutObjectLegalHold: refuses('PUT', 'object', ['legal-hold']),
  PutObjectLockConfiguration: refuses('PUT', 'bucket', ['object-lock']),
  PutObjectRetention: refuses('PUT', 'object', ['retention']),
  PutPublicAccessBlock: refuses('PUT', 'bucket', ['publicAccessBlock']),
  RestoreObject: refuses('POST', 'object', ['restore']),
  SelectObjectContent: refuses('POST', 'object', ['select']),
  UpdateBucketMetadataAnnotationTableConfiguration: refuses('PUT', 'bucket', ['metadataAnnotationTable']),
  UpdateBucketMetadataInventoryTableConfiguration: refuses('PUT', 'bucket', ['metadataInventoryTable']),
  UpdateBucketMetadataJournalTableConfiguration: refuses('PUT', 'bucket', ['metadataJournalTable']),
  UpdateObjectEncryption: refuses('PUT', 'object', ['encryption']),
  PostObject: refuses('POST', 'bucket', []),
  PreflightObject: refuses('OPTIONS', 'object', []),
  PreflightBucket: refuses('OPTIONS', 'bucket', []),
} as const satisfies Record<KnownOperation, Row>;

export type S3OperationName = keyof typeof TABLE;
/** Operations that must have a handler. */
export type ServedOperationName = {
  [N in S3OperationName]: (typeof TABLE)[N] extends ServedRow ? N : never;
}[S3OperationName];

/** A row with its defaults filled in. `Unknown` stands for a method or sub-resource that S3 does not have there. */
export interface S3Operation {
  readonly name: S3OperationName | 'Unknown';
  readonly method: string;
  readonly path: S3PathKind;
  readonly query: readonly string[];
  readonly header: string | undefined;
  readonly action: string;
  readonly versionAction: string | undefined;
  readonly resource: 'none' | 'new-bucket' | 'bucket' | 'object';
  readonly authorize: 'once' | 'copy' | 'per-key';
  readonly body: S3BodyMode;
  readonly success: number;
  readonly state: S3OperationState;
}

function complete(name: S3OperationName, row: Row): S3Operation {
  return {
    name,
    method: row.method,
    path: row.path,
    query: row.query,
    header: row.header,
    action: row.action ?? `s3:${name}`,
    versionAction: row.versionAction,
    resource: row.resource ?? (row.path === 'object' ? 'object' : row.path === 'bucket' ? 'bucket' : 'none'),
    authorize: row.authorize ?? 'once',
    body: row.body ?? 'none',
    success: row.success ?? 200,
    state: row.state,
  };
}

/** All rows, complete, in the order of the table. */
export const OPERATIONS: readonly S3Operation[] = Object.entries(TABLE).map(([name, row]) =>
  complete(name as S3OperationName, row),
);

/** Parameters that select within a sub-resource but are nothing by themselves. */
const SELECTORS_ONLY: ReadonlySet<string> = new Set(['id', 'annotationName', 'list-type']);

/** Parameters that make a request something else than a plain GET, PUT, POST or DELETE (threat A-13). */
export const SUBRESOURCES: ReadonlySet<string> = new Set(
  OPERATIONS.flatMap((row) => row.query).filter((name) => !SELECTORS_ONLY.has(name)),
);

/** Rows of one method and path kind, the most particular first. */
const CANDIDATES: ReadonlyMap<string, readonly S3Operation[]> = (() => {
  const byPlace = new Map<string, S3Operation[]>();
  for (const row of OPERATIONS) {
    const place = `${row.method} ${row.path}`;
    byPlace.set(place, [...(byPlace.get(place) ?? []), row]);
  }
  for (const rows of byPlace.values()) rows.sort((a, b) => particularity(b) - particularity(a));
  return byPlace;
})();

function particularity(row: S3Operation): number {
  return row.query.length * 2 + (row.header === undefined ? 0 : 1);
}

const NO_ROWS: readonly S3Operation[] = [];

export function candidates(method: string, path: S3PathKind): readonly S3Operation[] {
  return CANDIDATES.get(`${method} ${path}`) ?? NO_ROWS;
}

/** The row of a request that no operation describes; always refused. */
export function unknownOperation(method: string, path: S3PathKind): S3Operation {
  return { ...UNKNOWN, method, path };
}

const UNKNOWN: S3Operation = {
  name: 'Unknown',
  method: '',
  path: 'service',
  query: [],
  header: undefined,
  action: 's3:Unknown',
  versionAction: undefined,
  resource: 'none',
  authorize: 'once',
  body: 'none',
  success: 200,
  state: 'unsupported',
};
