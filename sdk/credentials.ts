import { type Timestamp, timestampDate } from '@bufbuild/protobuf/wkt';

/** The shape that every AWS SDK for JavaScript takes as credentials. There is never a session token. */
export interface S3Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** When the key stops working. */
  readonly expiration: Date;
}

export function readCredentials(answer: {
  accessKeyId: string;
  secretAccessKey: string;
  expiration?: Timestamp | undefined;
}): S3Credentials {
  return {
    accessKeyId: answer.accessKeyId,
    secretAccessKey: answer.secretAccessKey,
    // A key without an end would be a protocol error; treating it as ended makes the caller ask again.
    expiration: answer.expiration ? timestampDate(answer.expiration) : new Date(0),
  };
}
