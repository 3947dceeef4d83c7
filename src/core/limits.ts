/** Limits of the contract (`control-plane.md` 11, `s3-data-plane.md` 4.6) and of AWS S3; bytes unless a name says otherwise. */
export const KEY_BYTES_MAX = 1024;
export const USER_METADATA_BYTES_MAX = 2048;
export const PART_BYTES_MIN = 5 * 1024 ** 2;
export const PART_BYTES_MAX = 5 * 1024 ** 3;
export const PART_NUMBER_MAX = 10_000;
export const PUT_OBJECT_BYTES_MAX = 5 * 1024 ** 3;
export const OBJECT_BYTES_MAX = PART_BYTES_MAX * PART_NUMBER_MAX;
export const LIST_ENTRIES_MAX = 1000;
export const DELETE_OBJECTS_MAX = 1000;
export const BUCKETS_PER_ORGANIZATION_MAX = 1000;
export const KEY_LIFETIME_SECONDS_MAX = 43_200;
export const PRESIGNED_LIFETIME_SECONDS_MAX = 604_800;
export const CLOCK_SKEW_MS_MAX = 15 * 60 * 1000;
export const XML_BODY_BYTES_MAX = 2 * 1024 ** 2;
export const JSON_BODY_BYTES_MAX = 1024 ** 2;
export const JSON_DEPTH_MAX = 64;
export const XML_DEPTH_MAX = 32;
