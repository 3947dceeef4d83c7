import { compileGlob, type Glob } from './glob.ts';

/** A list of patterns of which one has to match: exact texts in a set, the others one by one. */
export interface Matcher {
  readonly exact: ReadonlySet<string>;
  readonly globs: readonly Glob[];
  /** One of the patterns is `*`. */
  readonly any: boolean;
}

const NO_TEXTS: ReadonlySet<string> = new Set();
const NO_GLOBS: readonly Glob[] = [];

export function compileMatcher(patterns: Iterable<string>): Matcher {
  const exact = new Set<string>();
  const globs = new Map<string, Glob>();
  for (const pattern of patterns) {
    const glob = compileGlob(pattern);
    if (glob.exact) exact.add(pattern);
    else globs.set(glob.source, glob);
  }
  return {
    exact: exact.size === 0 ? NO_TEXTS : exact,
    globs: globs.size === 0 ? NO_GLOBS : [...globs.values()],
    any: globs.has('*'),
  };
}

export function matches(matcher: Matcher, text: string): boolean {
  if (matcher.any || matcher.exact.has(text)) return true;
  for (const glob of matcher.globs) if (glob.test(text)) return true;
  return false;
}
