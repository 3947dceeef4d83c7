import type { Command } from 'commander';
import { type Client, createClient } from '../sdk/index.ts';
import { usageFailure } from './failure.ts';
import { type GlobalOptions, readSettings, type Settings } from './settings.ts';
import type { Terminal } from './terminal.ts';
import { jsonText } from './text.ts';

/** One run of the command line client. */
export class Session {
  readonly terminal: Terminal;
  exitCode = 0;

  constructor(terminal: Terminal) {
    this.terminal = terminal;
  }

  /** Makes a commander action of a body that gets the invocation, the options and the arguments. */
  action<Options, Args extends unknown[]>(
    body: (invocation: Invocation, options: Options, ...args: Args) => Promise<number | undefined> | Promise<void>,
  ): (...received: unknown[]) => Promise<void> {
    return async (...received) => {
      const command = received.at(-1) as Command;
      const options = command.optsWithGlobals<GlobalOptions & Options>();
      const invocation = new Invocation(this.terminal, options);
      const exitCode = await body(invocation, options, ...(command.processedArgs as Args));
      this.exitCode = exitCode ?? 0;
    };
  }
}

/** What a command works with. The server is reached only when a command asks for `client()`. */
export class Invocation {
  readonly terminal: Terminal;
  readonly json: boolean;
  readonly #options: GlobalOptions & { readonly yes?: boolean };
  #settings: Promise<Settings> | undefined;
  #client: Client | undefined;

  constructor(terminal: Terminal, options: GlobalOptions & { readonly yes?: boolean }) {
    this.terminal = terminal;
    this.json = options.json === true;
    this.#options = options;
  }

  settings(): Promise<Settings> {
    this.#settings ??= readSettings(this.#options, this.terminal);
    return this.#settings;
  }

  async client(): Promise<Client> {
    if (this.#client === undefined) {
      const { apiUrl, token } = await this.settings();
      this.#client = createClient({ apiUrl, token });
    }
    return this.#client;
  }

  /** Prints the documented shape with `--json`, else the text for people. */
  print(shape: unknown, text: string): void {
    this.terminal.out(this.json ? jsonText(shape) : text);
  }

  /** Before anything that cannot be undone. Throws unless `--yes` was given or a person at the terminal agrees. */
  async confirm(question: string): Promise<void> {
    if (this.#options.yes === true) return;
    if (!this.terminal.interactive) {
      throw usageFailure(`${question} There is nobody to ask`, 'Add --yes to do it without a question.');
    }
    if (!(await this.terminal.confirm(question))) throw usageFailure('nothing was changed');
  }

  /** Text of a file, or of standard input for `-`. */
  async readText(path: string): Promise<string> {
    if (path === '-') return this.terminal.readInput();
    try {
      return await this.terminal.readFile(path);
    } catch (error) {
      throw usageFailure(`cannot read ${path}: ${(error as Error).message}`, 'Use - for standard input.');
    }
  }
}

/** Follows offset paging to the end. Bounded, so that a server that repeats itself cannot hold us for ever. */
export async function allPages<T>(
  page: (offset: number, limit: number) => Promise<readonly T[]>,
  most = 1_000_000,
): Promise<T[]> {
  const limit = Math.min(1000, most);
  const all: T[] = [];
  while (all.length < most) {
    const items = await page(all.length, limit);
    all.push(...items);
    if (items.length < limit) break;
  }
  return all.slice(0, most);
}
