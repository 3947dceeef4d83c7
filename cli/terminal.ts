import { readFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';

/** Everything that a command may touch of the process it runs in, so that tests can run commands in memory. */
export interface Terminal {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** A person can be asked: standard input and standard error are a terminal. */
  readonly interactive: boolean;
  out(text: string): void;
  err(text: string): void;
  readInput(): Promise<string>;
  /** Text of a file; rejects as node:fs does. */
  readFile(path: string): Promise<string>;
  /** False when the person says no or gives up. */
  confirm(question: string): Promise<boolean>;
  now(): number;
}

export function processTerminal(): Terminal {
  return {
    env: process.env,
    interactive: process.stdin.isTTY === true && process.stderr.isTTY === true,
    out: (chunk) => void process.stdout.write(chunk),
    err: (chunk) => void process.stderr.write(chunk),
    readInput: () => text(process.stdin),
    readFile: (path) => readFile(path, 'utf8'),
    confirm: async (question) => {
      const { confirm, isCancel } = await import('@clack/prompts');
      const answer = await confirm({ message: question, initialValue: false, output: process.stderr });
      return !isCancel(answer) && answer;
    },
    now: () => Date.now(),
  };
}
