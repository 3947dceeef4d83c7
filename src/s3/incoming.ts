import type { IncomingMessage } from 'node:http';
import type { S3Request } from './request.ts';

/** The request as a plain value. Forwarding headers count only when a configured proxy sent them (threat S-19). */
export function readIncoming(incoming: IncomingMessage, id: string, trustedProxies: readonly string[]): S3Request {
  const target = incoming.url ?? '';
  const question = target.indexOf('?');
  const { headers, socket } = incoming;
  const address = plainAddress(socket.remoteAddress ?? '');
  const proxied = trustedProxies.length > 0 && trustedProxies.includes(address);
  const encrypted = 'encrypted' in socket && socket.encrypted === true;
  return {
    id,
    method: incoming.method ?? '',
    target,
    path: question < 0 ? target : target.slice(0, question),
    query: question < 0 ? '' : target.slice(question + 1),
    rawHeaders: incoming.rawHeaders,
    headers,
    secure: encrypted || (proxied && lastItem(headers['x-forwarded-proto']) === 'https'),
    sourceAddress: (proxied ? lastItem(headers['x-forwarded-for']) : undefined) ?? address,
    body: incoming,
  };
}

/** IPv4 in its own form, also when it arrived on an IPv6 socket. */
function plainAddress(address: string): string {
  return address.startsWith('::ffff:') ? address.slice(7) : address;
}

/** The entry that the nearest proxy appended; earlier ones may be the client's own words. */
function lastItem(header: string | string[] | undefined): string | undefined {
  const text = Array.isArray(header) ? header.at(-1) : header;
  const item = text?.split(',').at(-1)?.trim();
  return item === '' ? undefined : item;
}
