import type { IncomingMessage } from 'node:http';
import { lastItem, peerOf } from '../core/index.ts';
import type { S3Request } from './request.ts';

/** The request as a plain value. Forwarding headers count only when a configured proxy sent them (threat S-19). */
export function readIncoming(incoming: IncomingMessage, id: string, trustedProxies: readonly string[]): S3Request {
  const target = incoming.url ?? '';
  const question = target.indexOf('?');
  const { headers, socket } = incoming;
  const peer = peerOf(socket.remoteAddress, headers['x-forwarded-for'], trustedProxies);
  const encrypted = 'encrypted' in socket && socket.encrypted === true;
  return {
    id,
    method: incoming.method ?? '',
    target,
    path: question < 0 ? target : target.slice(0, question),
    query: question < 0 ? '' : target.slice(question + 1),
    rawHeaders: incoming.rawHeaders,
    headers,
    secure: encrypted || (peer.proxied && lastItem(headers['x-forwarded-proto']) === 'https'),
    sourceAddress: peer.address,
    body: incoming,
  };
}
