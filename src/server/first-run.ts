import { closeSync, existsSync, fsyncSync, openSync, readFileSync, renameSync, unlinkSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { type Clock, type Entropy, Failure, type Sealer } from '../core/index.ts';
import { bootstrap, type Identity } from '../identity/index.ts';
import type { ControlStore } from '../store/index.ts';
import type { Events } from '../telemetry/index.ts';
import type { Config } from './config.ts';
import { syncDirectory } from './master-key.ts';

/** What `<data>/bootstrap.json` holds: enough for the command line client and for scripts. */
export interface BootstrapFile {
  readonly orgId: string;
  readonly principal: string;
  readonly apiToken: string;
  readonly apiUrl: string;
  readonly s3Url: string;
}

/**
 * The first token exists in clear in one place only, so that place must survive a crash at any moment: the file is
 * written under a pending name before the database commits, and gets its real name afterwards. At a later start a
 * pending file whose token works is completed, any other is dropped.
 */
class BootstrapFiles {
  readonly #path: string;
  readonly #pending: string;
  readonly #dir: string;

  constructor(dataDir: string) {
    this.#dir = dataDir;
    this.#path = join(dataDir, 'bootstrap.json');
    this.#pending = join(dataDir, 'bootstrap.json.pending');
  }

  get path(): string {
    return this.#path;
  }

  writePending(file: BootstrapFile): void {
    const fd = openSync(this.#pending, 'w', 0o600);
    try {
      writeSync(fd, `${JSON.stringify(file, null, 2)}\n`);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    syncDirectory(this.#dir);
  }

  readPending(): BootstrapFile | undefined {
    if (!existsSync(this.#pending)) return undefined;
    try {
      return JSON.parse(readFileSync(this.#pending, 'utf8')) as BootstrapFile;
    } catch {
      return undefined; // torn while being written: the database cannot have committed yet
    }
  }

  complete(): void {
    renameSync(this.#pending, this.#path);
    syncDirectory(this.#dir);
  }

  dropPending(): void {
    if (existsSync(this.#pending)) unlinkSync(this.#pending);
  }
}

/**
 * The block that the first start prints: paste it into a shell and the AWS CLI works. The region has two names because
 * botocore and AWS CLI 1 read the second one only; without a region they presign with SigV2.
 */
function welcome(file: BootstrapFile, path: string, zone: string): string {
  return `
Sallyport is ready for its first user.

  Organization   ${file.orgId}
  Administrator  ${file.principal}
  API token      ${file.apiToken}
                 shown this once; also in ${path} (readable by you alone)

Paste this into a shell, and the AWS CLI and every AWS SDK fetch short-lived keys by themselves:

  export AWS_CONTAINER_CREDENTIALS_FULL_URI=${file.apiUrl}/v1/cwobject/temporary-credentials/api-token
  export AWS_CONTAINER_AUTHORIZATION_TOKEN="Bearer ${file.apiToken}"
  export AWS_ENDPOINT_URL_S3=${file.s3Url}
  export AWS_REGION=${zone} AWS_DEFAULT_REGION=${zone}

  aws s3 mb s3://my-first-bucket
  aws s3 ls

Without the AWS CLI: npx sallyport bucket create my-first-bucket
`;
}

export interface FirstRunParts {
  readonly config: Config;
  readonly dataDir: string;
  readonly store: ControlStore;
  readonly sealer: Sealer;
  readonly identity: Identity;
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly events: Events;
  readonly urls: { readonly apiUrl: string; readonly s3Url: string };
}

/**
 * Makes the first organization, administrator, token and policy, once. Answers what the first start has to show, once.
 */
export async function firstRun(parts: FirstRunParts): Promise<string | undefined> {
  const { config, store, sealer, clock, entropy, events, urls } = parts;
  const files = new BootstrapFiles(parts.dataDir);
  const made = await bootstrap(store, {
    hasher: sealer,
    clock,
    entropy,
    events,
    beforeCommit: (first) =>
      files.writePending({
        orgId: first.organization.id,
        principal: first.principalName,
        apiToken: first.secret,
        apiUrl: urls.apiUrl,
        s3Url: urls.s3Url,
      }),
  });
  const pending = files.readPending();
  if (pending === undefined || (made === undefined && !(await works(parts.identity, pending.apiToken)))) {
    files.dropPending();
    return undefined;
  }
  files.complete();
  return welcome(pending, files.path, config.DEFAULT_ZONE);
}

async function works(identity: Identity, token: string): Promise<boolean> {
  try {
    await identity.authenticate(token);
    return true;
  } catch (error) {
    if (error instanceof Failure && error.code === 'unauthenticated') return false;
    throw error;
  }
}
