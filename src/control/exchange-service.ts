import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import type { CWObject } from '../../proto/gen/coreweave/cwobject/v1/cwobject_pb.js';
import { type Awaitable, Failure, toRfc3339Seconds } from '../core/index.ts';
import type { Authenticated } from '../identity/index.ts';
import type { IssuedKey } from '../keys/index.ts';
import type { Handlers } from './call.ts';
import type { ControlPorts } from './ports.ts';

type Methods =
  | 'createAccessKeyFromSAML'
  | 'createAccessKeyFromOIDC'
  | 'createAccessKeyFromContainerCreds'
  | 'createAccessKeyFromApiToken';
type Ports = Pick<ControlPorts, 'keys' | 'options'>;

/** Exchanges of a proof for a key: contract control-plane 3.15 to 3.18. The access table holds back the first three. */
export function exchangeService(ports: Ports): Pick<Handlers<typeof CWObject>, Methods> {
  const later = (): never => {
    throw new Failure('unimplemented', 'this exchange is not served here yet');
  };
  return {
    createAccessKeyFromSAML: later,
    createAccessKeyFromOIDC: later,
    createAccessKeyFromContainerCreds: later,
    async createAccessKeyFromApiToken(_request, { authenticated }) {
      const issued = await exchangeApiToken(ports, authenticated);
      return {
        accessKeyId: issued.accessKeyId,
        secretAccessKey: issued.secret,
        token: '',
        attributes: { ...issued.attributes },
        expiration: timestampFromMs(Math.floor(endOf(issued) / 1000) * 1000),
      };
    },
  };
}

/** Idempotent: the same API token gets the same key while it has a useful life left; from memory when seen. */
export function exchangeApiToken({ keys, options }: Ports, authenticated: Authenticated): Awaitable<IssuedKey> {
  const { caller, tokenId, tokenExpiresAt } = authenticated;
  return keys.exchange({
    orgId: caller.orgId,
    principal: caller.principal,
    source: 'api-token-exchange',
    durationSeconds: options.apiTokenKeySeconds,
    groups: caller.groups ?? [],
    proof: tokenId,
    apiTokenId: tokenId,
    ...(tokenExpiresAt === undefined ? {} : { notAfter: tokenExpiresAt }),
  });
}

/** The HTTP/JSON body, equal to what the transcoder prints. AWS SDKs need all four capitalised members. */
export function containerCredentialsJson(issued: IssuedKey): string {
  return JSON.stringify({
    AccessKeyId: issued.accessKeyId,
    SecretAccessKey: issued.secret,
    Token: '',
    Expiration: toRfc3339Seconds(endOf(issued)),
    attributes: issued.attributes,
    multiAttributes: {},
  });
}

function endOf(issued: IssuedKey): number {
  if (issued.expiresAt === undefined) throw new Failure('internal', 'an exchanged key has no end');
  return issued.expiresAt;
}
