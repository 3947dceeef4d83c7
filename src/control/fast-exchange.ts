import { ANONYMOUS, type Awaitable, type Caller } from '../core/index.ts';
import type { Authenticated } from '../identity/index.ts';
import type { IssuedKey } from '../keys/index.ts';
import { CWOBJECT_ACCESS } from './access.ts';
import type { Exchange } from './call.ts';
import { codeName } from './errors.ts';
import { containerCredentialsJson, exchangeApiToken } from './exchange-service.ts';
import type { Guard } from './guard.ts';
import type { HttpRequest, HttpResponse } from './http-body.ts';
import { answerStatus } from './http-json.ts';
import type { Pipeline } from './pipeline.ts';
import type { ControlPorts } from './ports.ts';

export const FAST_EXCHANGE_PATH = '/v1/cwobject/temporary-credentials/api-token';
const NAME = 'CWObject/CreateAccessKeyFromApiToken';
const ROW = CWOBJECT_ACCESS.createAccessKeyFromApiToken;

/**
 * `GET …/temporary-credentials/api-token`, the hottest call of this edge (botocore asks before nearly every request when
 * keys are short), written without promises, transcoding and message objects. Guard, exchange and event are the same as
 * in the general path; a test compares the two answers.
 */
export function createFastExchange(
  ports: Pick<ControlPorts, 'keys' | 'options'>,
  guard: Guard,
  pipeline: Pipeline,
): (req: HttpRequest, res: HttpResponse, exchange: Exchange) => void {
  /** The keys layer answers with the same object for as long as the key lives. */
  const bodies = new WeakMap<IssuedKey, Buffer>();

  function bodyOf(issued: IssuedKey): Buffer {
    const known = bodies.get(issued);
    if (known !== undefined) return known;
    const body = Buffer.from(containerCredentialsJson(issued));
    bodies.set(issued, body);
    return body;
  }

  return (req, res, exchange) => {
    let caller: Caller = ANONYMOUS;
    const send = (issued: IssuedKey): void => {
      const body = bodyOf(issued);
      pipeline.report(exchange, NAME, caller, 'ok');
      const headers = {
        'content-type': 'application/json',
        'content-length': body.byteLength,
        'cache-control': 'no-store',
        'x-content-type-options': 'nosniff',
        'x-request-id': exchange.requestId,
      };
      if (res.destroyed) return;
      (res as import('node:http').ServerResponse).writeHead(200, headers);
      (res as import('node:http').ServerResponse).end(body);
    };
    const refuse = (error: unknown): void => {
      const failure = pipeline.toConnectError(error, exchange, NAME);
      pipeline.report(exchange, NAME, caller, codeName(failure.code));
      answerStatus(req, res, exchange, failure);
    };
    const admitted = (authenticated: Authenticated | undefined): Awaitable<IssuedKey> => {
      if (authenticated === undefined) throw new Error('the row of the exchange needs a caller');
      caller = authenticated.caller;
      return exchangeApiToken(ports, authenticated);
    };
    try {
      const admission = guard.admit(ROW, req.headers.authorization);
      const issued = admission instanceof Promise ? admission.then(admitted) : admitted(admission);
      if (issued instanceof Promise) issued.then(send).catch(refuse);
      else send(issued);
    } catch (error) {
      refuse(error);
    }
  };
}
