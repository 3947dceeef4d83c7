import type { CWObject } from '../../proto/gen/coreweave/cwobject/v1/cwobject_pb.js';
import type { Health } from '../../proto/gen/grpc/health/v1/health_pb.js';
import type { ServerReflection } from '../../proto/gen/grpc/reflection/v1/reflection_pb.js';
import type { Admin } from '../../proto/gen/sallyport/admin/v1/admin_pb.js';
import type { UserRole } from '../store/index.ts';

/** What a call needs before its handler runs. Read by `guard.ts` and by the OpenAPI document; handlers check nothing. */
export interface AccessRow {
  /**
   * `bearer`: `Authorization: Bearer <API token>`. `bearer-or-raw`: the token alone is fine too (AWS SDKs send what they
   * are given). `raw-jwt` and `body`: the proof is a foreign token in the header or in the message.
   */
  readonly authentication: 'none' | 'bearer' | 'bearer-or-raw' | 'raw-jwt' | 'body';
  readonly right: Right;
  /** False: answered `unimplemented` before anything is looked at. */
  readonly served: boolean;
}

export type Right =
  | { readonly kind: 'authenticated' }
  /** An action on the global resource: organization policies, or the role object-storage-admin for `cwobject:`. */
  | { readonly kind: 'action'; readonly action: string }
  /** Any of `own` for what belongs to the caller; any of `others` when the message names somebody else. */
  | { readonly kind: 'roles'; readonly own: readonly UserRole[]; readonly others?: readonly UserRole[] };

const AUTHENTICATED: Right = { kind: 'authenticated' };
const open: AccessRow = { authentication: 'none', right: AUTHENTICATED, served: true };

function action(name: string): AccessRow {
  return { authentication: 'bearer', right: { kind: 'action', action: `cwobject:${name}` }, served: true };
}

function later(authentication: AccessRow['authentication'], name: string): AccessRow {
  const right: Right = { kind: 'action', action: `cwobject:${name}` };
  return { authentication, right, served: false };
}

function roles(own: readonly UserRole[], others?: readonly UserRole[]): AccessRow {
  const right: Right = others === undefined ? { kind: 'roles', own } : { kind: 'roles', own, others };
  return { authentication: 'bearer', right, served: true };
}

const anybody: AccessRow = { authentication: 'bearer', right: AUTHENTICATED, served: true };

const OWN_TOKENS: readonly UserRole[] = ['access-token-admin', 'iam-admin'];
const SEE_TOKENS: readonly UserRole[] = ['access-token-viewer', 'access-token-admin', 'iam-viewer', 'iam-admin'];
const SEE_USERS: readonly UserRole[] = ['iam-viewer', 'iam-admin'];

type Rows<Service extends { readonly method: object }> = Readonly<Record<keyof Service['method'], AccessRow>>;

/** Contract control-plane section 2. Types make a row for every method compulsory. */
export const CWOBJECT_ACCESS: Rows<typeof CWObject> = {
  authCanI: anybody,
  createAccessKeyFromJWT: action('CreateAccessKey'),
  listAccessKeyInfo: action('ListAccessKeyInfo'),
  getAccessKeyInfo: action('GetAccessKeyInfo'),
  updateAccessKeyStatus: action('UpdateAccessKeyStatus'),
  listAccessPolicies: action('ListAccessPolicy'),
  ensureAccessPolicy: action('EnsureAccessPolicy'),
  deleteAccessPolicy: action('DeleteAccessPolicy'),
  listBucketInfo: action('ListBucketInfo'),
  getBucketInfo: action('GetBucketInfo'),
  setBucketSettings: action('SetBucketSettings'),
  setOrganizationSettings: action('SetOrganizationSettings'),
  revokeAccessKeyByAccessKey: action('RevokeAccessKeyByAccessKey'),
  revokeAccessKeysByPrincipal: action('RevokeAccessKeysByPrincipal'),
  createAccessKeyFromSAML: later('body', 'CreateAccessKeySAML'),
  createAccessKeyFromOIDC: later('body', 'CreateAccessKeyOIDC'),
  createAccessKeyFromContainerCreds: later('raw-jwt', 'CreateAccessKeyOIDC'),
  createAccessKeyFromApiToken: { ...action('CreateAccessKey'), authentication: 'bearer-or-raw' },
};

export const ADMIN_ACCESS: Rows<typeof Admin> = {
  whoAmI: anybody,
  createOrganization: roles(['platform-admin']),
  getOrganization: anybody,
  listOrganizations: roles(['platform-admin']),
  setOrganizationEntitlements: roles(['platform-admin']),
  createUser: roles(['iam-admin']),
  getUser: roles(SEE_USERS),
  listUsers: roles(SEE_USERS),
  updateUser: roles(['iam-admin']),
  deleteUser: roles(['iam-admin']),
  createApiToken: roles(OWN_TOKENS, ['iam-admin']),
  listApiTokens: roles(SEE_TOKENS, SEE_USERS),
  deleteApiToken: roles(OWN_TOKENS),
};

export const HEALTH_ACCESS: Rows<typeof Health> = { check: open, list: open, watch: open };
export const REFLECTION_ACCESS: Rows<typeof ServerReflection> = { serverReflectionInfo: open };

/** Routes that are no method of a service. Nothing else about the process is served (threat K-09). */
export const ROUTE_ACCESS = {
  'GET /healthz': open,
  'GET /readyz': open,
  'GET /openapi.json': open,
  'GET /metrics': action('GetMetrics'),
  'GET /v1beta1/auth/whoami': anybody,
} as const satisfies Readonly<Record<string, AccessRow>>;
