import type { Command } from 'commander';

/** Adds an "Examples" block below the help of a command. Each line is a command; text after `#` explains it. */
export function withExamples(command: Command, ...lines: readonly string[]): Command {
  return command.addHelpText('after', `\nExamples:\n${lines.map((line) => `  $ ${line}`).join('\n')}`);
}

export const YES = ['-y, --yes', 'do not ask; needed where nobody can be asked'] as const;
