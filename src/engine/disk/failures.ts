import { Failure } from '../../core/index.ts';
import { errorCode } from './fs.ts';

/** An error of the operating system as the refusal a caller sees; `Failure`s pass through. */
export function storageFailure(error: unknown, doing: string): Failure {
  if (error instanceof Failure) return error;
  switch (errorCode(error)) {
    case 'ENOSPC':
    case 'EDQUOT':
      return new Failure('storage-full', `The storage is full (${doing}). Delete something or add space.`, {
        cause: error,
      });
    case 'EMFILE':
    case 'ENFILE':
    case 'ENOMEM':
      return new Failure('slow-down', 'The server is out of file handles or memory. Try again.', { cause: error });
    default:
      return new Failure('storage-failed', `The storage failed (${doing}).`, { cause: error });
  }
}

export function damaged(what: string, cause?: unknown): Failure {
  return new Failure('data-damaged', `Stored data does not match its checksum (${what}).`, { cause });
}

export function noSuchBucket(name: string): Failure {
  return new Failure('no-such-bucket', `The bucket ${JSON.stringify(name)} does not exist.`);
}

export function noSuchUpload(): Failure {
  return new Failure('no-such-upload', 'The upload does not exist; it may have been aborted or completed.');
}
