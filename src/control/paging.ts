import { invalidField } from '../core/index.ts';

/** Contract control-plane section 11. */
const LIST_LIMIT_MAX = 1000;

/**
 * `limit` 1–1000. Absent means 1000, so that a caller who does not page sees as much as one answer may hold. Fails
 * `invalid`.
 */
export function readPage(request: { readonly offset: number; readonly limit?: number | undefined }): {
  readonly offset: number;
  readonly limit: number;
} {
  const limit = request.limit ?? LIST_LIMIT_MAX;
  if (limit < 1 || limit > LIST_LIMIT_MAX) throw invalidField('limit', `must be 1 to ${LIST_LIMIT_MAX}`);
  return { offset: request.offset, limit };
}
