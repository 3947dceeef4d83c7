import { STATUS_CODES } from 'node:http';

/** Bodies for requests that the HTTP parser refused, in the form of the door they came to. */

export function malformedS3Request(status: number): string {
  const code = status === 408 ? 'RequestTimeout' : status === 431 ? 'RequestHeaderSectionTooLarge' : 'InvalidRequest';
  return `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${code}</Code><Message>The request is not valid HTTP: ${STATUS_CODES[status]}.</Message></Error>`;
}

export function malformedControlRequest(status: number): string {
  return JSON.stringify({ code: 3, message: `the request is not valid HTTP: ${STATUS_CODES[status]}`, details: [] });
}
