import { STATUS_CODES } from 'node:http';

/** Why the HTTP parser gave a request up: the headers came too slowly, were too large, or were not HTTP. */
export type Malformed = 'slow' | 'too-large' | 'syntax';

/** An answer for a request that no handler ever saw, in the form of the door it came to. */
export interface MalformedAnswer {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
}

const S3: Readonly<Record<Malformed, readonly [status: number, code: string]>> = {
  // S3 answers 400 where HTTP has 408 (AWS "List of error codes").
  slow: [400, 'RequestTimeout'],
  'too-large': [431, 'RequestHeaderSectionTooLarge'],
  syntax: [400, 'InvalidRequest'],
};

export function malformedS3Request(reason: Malformed): MalformedAnswer {
  const [status, code] = S3[reason];
  const message = `The request is not valid HTTP: ${SENTENCES[reason]}.`;
  const body = `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${code}</Code><Message>${message}</Message></Error>`;
  return { status, contentType: 'application/xml', body };
}

const CONTROL: Readonly<Record<Malformed, number>> = { slow: 408, 'too-large': 431, syntax: 400 };

export function malformedControlRequest(reason: Malformed): MalformedAnswer {
  const message = `the request is not valid HTTP: ${SENTENCES[reason]}`;
  const body = JSON.stringify({ code: 3, message, details: [] });
  return { status: CONTROL[reason], contentType: 'application/json', body };
}

const SENTENCES: Readonly<Record<Malformed, string>> = {
  slow: 'its headers did not arrive in time',
  'too-large': 'its headers are too large',
  syntax: 'it cannot be parsed',
};

/** The whole answer as bytes for the socket; the connection ends with it. */
export function rawAnswer({ status, contentType, body }: MalformedAnswer): string {
  return [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    'Connection: close',
    `Content-Type: ${contentType}`,
    `Content-Length: ${Buffer.byteLength(body)}`,
    '',
    body,
  ].join('\r\n');
}
