import { UNSIGNED_PAYLOAD } from './claim.ts';

/**
 * Where services differ in SigV4. The server speaks the dialect of S3 only; the parameters exist because the published
 * test vectors are written for a service of the other kind.
 */
export interface Dialect {
  readonly service: string;
  /** Resolve `.`, `..` and empty segments of the path before signing. Never for S3, where they are part of the key. */
  readonly normalizePath: boolean;
  /** Whether the session token is part of what is signed; some services of the other kind add it afterwards. */
  readonly tokenSigned: boolean;
  /** Hash line when the request has no `x-amz-content-sha256`; `undefined` = that header is mandatory. */
  readonly defaultPayloadHash: { readonly header: string | undefined; readonly query: string | undefined };
}

export const S3_DIALECT: Dialect = {
  service: 's3',
  normalizePath: false,
  tokenSigned: true,
  defaultPayloadHash: { header: undefined, query: UNSIGNED_PAYLOAD },
};
