/**
 * The control edge: `CWObject`, `sallyport.admin.v1.Admin`, gRPC health and reflection over HTTP/JSON, Connect, gRPC and
 * gRPC-Web, and the few fixed routes beside them. Owns who may call what (`access.ts`), the wire forms of errors
 * (`errors.ts`) and the translation of messages to domain calls. Owns no rules of keys, users or policies, opens no
 * listener and knows no database. `PolicySets` (compiled organization policies by organization) lives here because this
 * is the lowest folder that may see both the store and the policy language and is asked for on every call.
 */

export type { ControlHandler } from './handler.ts';
export { createControlHandler } from './handler.ts';
export { openApiDocument } from './openapi.ts';
export type { PolicySets } from './policy-sets.ts';
export { createPolicySets } from './policy-sets.ts';
export type {
  BucketDirectory,
  BucketEntry,
  BucketEntryUsage,
  ControlOptions,
  ControlPorts,
  Readiness,
} from './ports.ts';
