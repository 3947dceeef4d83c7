import { S3Error } from '../errors.ts';

/** SigV2 is off (threat S-18); the name of what to use instead is part of the contract. */
export function signatureVersion2Refused(): S3Error {
  return new S3Error(
    'InvalidRequest',
    'The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.',
  );
}
