import type { S3Error } from '../errors.ts';
import { XmlWriter } from '../xml/index.ts';

/** What became of one key of DeleteObjects. */
export interface DeletionVerdict {
  readonly key: string;
  readonly versionId: string | undefined;
  readonly error: S3Error | undefined;
}

/** DeleteResult; `quiet` leaves out what went well. */
export function deletionDocument(verdicts: readonly DeletionVerdict[], quiet: boolean): XmlWriter {
  const xml = new XmlWriter('DeleteResult');
  for (const { key, versionId, error } of verdicts) {
    if (error === undefined) {
      if (!quiet) xml.open('Deleted').leaf('Key', key).leaf('VersionId', versionId).close('Deleted');
      continue;
    }
    xml.open('Error').leaf('Key', key).leaf('VersionId', versionId);
    xml.leaf('Code', error.code).leaf('Message', error.message).close('Error');
  }
  return xml.close('DeleteResult');
}
