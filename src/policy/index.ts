/**
 * The rules of access: reading policies, compiling them, deciding. Pure functions over plain data. Does not know where
 * policies are stored, how a caller proved who they are, or what a refusal looks like on the wire.
 */
export { parseBucketPolicy } from './bucket-grammar.ts';
export { type CanIQuestion, decideCanI } from './can-i.ts';
export {
  type CompiledBucketPolicy,
  type CompiledOrganizationPolicies,
  compileBucketPolicy,
  compileOrganizationPolicies,
  UNREADABLE_BUCKET_POLICY,
  unreadableOrganizationPolicy,
} from './compile.ts';
export { decide, type PolicySet } from './decide.ts';
export { parseOrganizationPolicy } from './organization-grammar.ts';
export * from './types.ts';
