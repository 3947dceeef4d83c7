import type { BodySource } from '../../engine/index.ts';

/** What the operation allows. */
export interface BodyRules {
  /** PutObject and UploadPart only (threat S-13). */
  readonly streamingAllowed: boolean;
  /** A request without any announced length is refused with `MissingContentLength`. */
  readonly required: boolean;
  /** Decoded bytes; more is `EntityTooLarge`. */
  readonly sizeMax: number;
}

export interface OpenedBody {
  readonly source: BodySource;
  /** 16 bytes of Content-MD5; the engine compares, because it computes the MD5 anyway. */
  readonly expectedMd5?: Uint8Array;
  /** Decoded bytes, when announced. */
  readonly size: number | undefined;
}
