import type { Terminal } from './terminal.ts';

export interface FakeTerminal extends Terminal {
  readonly stdout: () => string;
  readonly stderr: () => string;
  readonly questions: string[];
}

/** A terminal in memory; `answers` are what the person says, in order. */
export function fakeTerminal(
  options: {
    env?: Record<string, string>;
    files?: Record<string, string>;
    input?: string;
    answers?: boolean[];
    now?: number;
  } = {},
): FakeTerminal {
  let stdout = '';
  let stderr = '';
  const questions: string[] = [];
  const answers = [...(options.answers ?? [])];
  return {
    env: options.env ?? {},
    interactive: options.answers !== undefined,
    out: (text) => {
      stdout += text;
    },
    err: (text) => {
      stderr += text;
    },
    readInput: async () => options.input ?? '',
    readFile: async (path) => {
      const text = options.files?.[path];
      if (text === undefined) throw Object.assign(new Error(`no such file ${path}`), { code: 'ENOENT' });
      return text;
    },
    confirm: async (question) => {
      questions.push(question);
      return answers.shift() ?? false;
    },
    now: () => options.now ?? 0,
    stdout: () => stdout,
    stderr: () => stderr,
    questions,
  };
}
