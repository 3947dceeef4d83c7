/**
 * The S3 wire: from a raw request to an engine call and back. Owns the table of operations, routing, signatures, payload
 * forms, XML, errors and the order of checks. It knows nothing of keys, policies or databases: whose key it is and what
 * it may do are asked through `S3Ports`.
 */
export { createS3Handler, type S3Handler } from './handler.ts';
export { OPERATIONS, type S3Operation } from './operations.ts';
export * from './ports.ts';
