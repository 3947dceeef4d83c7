/**
 * The client of both control-plane services: typed calls over Connect (HTTP/1.1, binary), one error type, and access
 * keys for S3 clients. Works wherever `fetch` does. It knows the generated contract and nothing else: no server code,
 * no S3 client, no environment, no files.
 */
export * from '../proto/gen/coreweave/cwobject/v1/cwobject_pb.js';
export * from '../proto/gen/sallyport/admin/v1/admin_pb.js';
export { type Client, type ClientOptions, createClient } from './client.ts';
export type { S3Credentials } from './credentials.ts';
export { type ErrorDetail, SallyportError } from './error.ts';
export { apiTokenCredentials, type CredentialsOptions } from './provider.ts';
