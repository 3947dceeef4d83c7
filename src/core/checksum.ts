/** The additional checksums of S3 (AWS "Checking object integrity"). ETag/MD5 is not one of them. */
export type ChecksumAlgorithm = 'CRC32' | 'CRC32C' | 'CRC64NVME' | 'SHA1' | 'SHA256';

/** `COMPOSITE` is a checksum of the parts' checksums, `FULL_OBJECT` one over all bytes. */
export type ChecksumType = 'FULL_OBJECT' | 'COMPOSITE';

export interface StoredChecksum {
  readonly algorithm: ChecksumAlgorithm;
  readonly type: ChecksumType;
  /** Base64; composite values end in `-<parts>`. */
  readonly value: string;
}
