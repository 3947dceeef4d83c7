/** Who is at the other end of a connection. */
export interface Peer {
  /** Address of the client: the connection's own, or the one that a trusted proxy names. */
  readonly address: string;
  /** Whether the connection comes from a trusted proxy, so that its forwarding headers count (threat S-19). */
  readonly proxied: boolean;
}

type Header = string | readonly string[] | undefined;

/** `trusted` are exact addresses; from anybody else `X-Forwarded-For` is the client's own invention. */
export function peerOf(remoteAddress: string | undefined, forwardedFor: Header, trusted: readonly string[]): Peer {
  const own = plainAddress(remoteAddress ?? '');
  const proxied = trusted.includes(own);
  return { address: (proxied ? lastItem(forwardedFor) : undefined) ?? own, proxied };
}

/** IPv4 in its own form, also when it arrived on an IPv6 socket. */
function plainAddress(address: string): string {
  return address.startsWith('::ffff:') ? address.slice(7) : address;
}

/** The entry that the nearest proxy appended to a list header; earlier ones may be the client's own words. */
export function lastItem(header: Header): string | undefined {
  const text = typeof header === 'string' ? header : header?.at(-1);
  const item = text?.split(',').at(-1)?.trim();
  return item === '' ? undefined : item;
}
