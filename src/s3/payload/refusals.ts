import { S3Error } from '../errors.ts';

export function incompleteBody(detail: string): S3Error {
  return new S3Error('IncompleteBody', `You did not provide the number of bytes that you announced: ${detail}`);
}

export function malformedTrailer(detail: string): S3Error {
  return new S3Error('MalformedTrailerError', `The trailer of the body is not valid: ${detail}`);
}

export function invalidRequest(detail: string): S3Error {
  return new S3Error('InvalidRequest', detail);
}

export function missingLength(detail: string): S3Error {
  return new S3Error('MissingContentLength', `You must provide the length of the body: ${detail}`);
}

export function tooLarge(sizeMax: number): S3Error {
  return new S3Error('EntityTooLarge', 'Your proposed upload exceeds the maximum allowed size.', {
    MaxSizeAllowed: String(sizeMax),
  });
}
