import { S3Error } from '../errors.ts';
import type { S3Request } from '../request.ts';
import { ChunkChain, type Claim, type VerifiedClaim } from '../sigv4/index.ts';
import { type Announced, readAnnounced } from './announced.ts';
import { checkWhole, RunningChecks, type TrailerValue } from './checks.ts';
import { ChunkDecoder } from './chunk-decoder.ts';
import { Collector } from './collector.ts';
import { receiveAll, received } from './received.ts';
import { invalidRequest, missingLength, tooLarge } from './refusals.ts';
import type { BodyRules, OpenedBody } from './rules.ts';

/** Bodies up to this size are collected and verified before anything else sees them. */
const WHOLE_BYTES_MAX = 1024 ** 2;

const noTrailer: TrailerValue = () => undefined;

/**
 * Opens the body of a write. Small bodies come verified and in one piece; larger ones as a stream that throws at its end
 * when hash, length, checksum, signature or trailer is wrong, so nothing may be committed before that end (threats S-11
 * to S-16, D-09). Call it after the request's signature was verified: the decision is made once, here nothing is left of
 * it but the chain of chunk signatures (S-12).
 */
export async function openBody(
  request: S3Request,
  claim: Claim | undefined,
  verified: VerifiedClaim | undefined,
  rules: BodyRules,
): Promise<OpenedBody> {
  const announced = readAnnounced(request, claim, true);
  const decoder = openDecoder(announced, claim, verified, rules.streamingAllowed);
  if (rules.required && !announced.lengthGiven) throw missingLength('send Content-Length.');
  if ((announced.size ?? 0) > rules.sizeMax) throw tooLarge(rules.sizeMax);
  const { md5, size } = announced;
  const whole = size !== undefined && size <= WHOLE_BYTES_MAX;
  const source = whole
    ? await openWhole(request, announced, decoder)
    : await openStream(request, announced, decoder, rules.sizeMax);
  return md5 === undefined ? { source, size } : { source, size, expectedMd5: md5 };
}

/** The decoder that the payload form needs; `undefined` for a plain body. */
export function openDecoder(
  announced: Announced,
  claim: Claim | undefined,
  verified: VerifiedClaim | undefined,
  streamingAllowed: boolean,
): ChunkDecoder | undefined {
  if (claim !== undefined && verified === undefined)
    throw new Error('a body was opened before its signature was verified');
  const { framing, size, checksum } = announced;
  if (framing === undefined || size === undefined) return undefined;
  if (!streamingAllowed)
    throw invalidRequest('A STREAMING- payload is accepted by PutObject and UploadPart only; send the body as it is.');
  if (framing.chunksSigned && verified === undefined)
    throw new S3Error('AccessDenied', 'The body has signed chunks, but the request itself is not signed.');
  return new ChunkDecoder({
    chain: framing.chunksSigned && verified !== undefined ? new ChunkChain(verified) : undefined,
    size,
    trailersAllowed: framing.trailersAllowed,
    trailers: checksum !== undefined && checksum.value === undefined ? [checksum.header] : [],
  });
}

async function openWhole(request: S3Request, announced: Announced, decoder: ChunkDecoder | undefined) {
  const collector = new Collector(announced.size);
  await receiveAll(request.body, announced.wireLength, (piece) => {
    if (decoder === undefined) {
      collector.add(piece);
      return;
    }
    decoder.push(piece);
    for (const data of decoder.take()) collector.add(data);
  });
  decoder?.end();
  const bytes = collector.bytes();
  const trailer: TrailerValue = decoder === undefined ? noTrailer : (name) => decoder.trailer(name);
  return { kind: 'whole' as const, bytes, checksum: await checkWhole(bytes, announced, trailer) };
}

async function openStream(
  request: S3Request,
  announced: Announced,
  decoder: ChunkDecoder | undefined,
  sizeMax: number,
) {
  const checks = await RunningChecks.open(announced);
  return {
    kind: 'stream' as const,
    size: announced.size,
    chunks: verifiedChunks(request, announced, decoder, checks, sizeMax),
    checksum: () => checks.stored,
  };
}

async function* verifiedChunks(
  request: S3Request,
  announced: Announced,
  decoder: ChunkDecoder | undefined,
  checks: RunningChecks,
  sizeMax: number,
): AsyncGenerator<Buffer, void> {
  let count = 0;
  for await (const piece of received(request.body, announced.wireLength)) {
    decoder?.push(piece);
    for (const data of decoder?.take() ?? [piece]) {
      count += data.length;
      if (count > sizeMax) throw tooLarge(sizeMax);
      checks.update(data);
      yield data;
    }
  }
  decoder?.end();
  checks.finish(decoder === undefined ? noTrailer : (name) => decoder.trailer(name));
}
