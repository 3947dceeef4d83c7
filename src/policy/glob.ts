/**
 * Patterns with `*` (any text, also `/` and none) and `?` (exactly one character). Compiled once; a match never
 * backtracks over more than one run between two stars, so it costs at most text × longest run (threat P-15).
 */
export interface Glob {
  /** The pattern with runs of stars folded into one. */
  readonly source: string;
  /** Literal text before the first wildcard; every match starts with it. */
  readonly prefix: string;
  /** No wildcard at all. */
  readonly exact: boolean;
  test(text: string): boolean;
}

const ANY_ONE = 0xffff_ffff;

export function compileGlob(pattern: string): Glob {
  const source = pattern.replace(/\*{2,}/g, '*');
  const firstWild = source.search(/[*?]/);
  const prefix = firstWild === -1 ? source : source.slice(0, firstWild);
  const exact = firstWild === -1;
  return { source, prefix, exact, test: matcher(source, exact, prefix) };
}

function matcher(source: string, exact: boolean, prefix: string): (text: string) => boolean {
  if (exact) return (text) => text === source;
  if (source === '*') return () => true;
  const pieces = source.split('*');
  if (!source.includes('?')) {
    if (pieces.length === 2 && pieces[1] === '') return (text) => text.startsWith(prefix);
    return (text) => matchLiteralPieces(pieces, text);
  }
  const runs = pieces.map((piece) => codePoints(piece, true));
  return (text) => text.startsWith(prefix) && matchRuns(runs, codePoints(text, false));
}

function matchLiteralPieces(pieces: readonly string[], text: string): boolean {
  const first = pieces[0]!;
  const last = pieces[pieces.length - 1]!;
  const end = text.length - last.length;
  if (first.length > end || !text.startsWith(first) || !text.endsWith(last)) return false;
  let at = first.length;
  for (let index = 1; index < pieces.length - 1; index++) {
    const piece = pieces[index]!;
    const found = text.indexOf(piece, at);
    if (found === -1) return false;
    at = found + piece.length;
  }
  return at <= end;
}

/** Same as above over code points, so that `?` stands for a whole character outside the basic plane too. */
function matchRuns(runs: readonly Uint32Array[], text: Uint32Array): boolean {
  const first = runs[0]!;
  if (runs.length === 1) return first.length === text.length && runAt(first, text, 0);
  const last = runs[runs.length - 1]!;
  const end = text.length - last.length;
  if (first.length > end || !runAt(first, text, 0) || !runAt(last, text, end)) return false;
  let at = first.length;
  for (let index = 1; index < runs.length - 1; index++) {
    const run = runs[index]!;
    while (at + run.length <= end && !runAt(run, text, at)) at++;
    if (at + run.length > end) return false;
    at += run.length;
  }
  return true;
}

function runAt(run: Uint32Array, text: Uint32Array, at: number): boolean {
  for (let index = 0; index < run.length; index++) {
    const wanted = run[index]!;
    if (wanted !== ANY_ONE && wanted !== text[at + index]) return false;
  }
  return true;
}

function codePoints(text: string, wild: boolean): Uint32Array {
  const points = new Uint32Array(text.length);
  let count = 0;
  for (let at = 0; at < text.length; ) {
    const point = text.codePointAt(at)!;
    points[count++] = wild && point === 0x3f ? ANY_ONE : point;
    at += point > 0xffff ? 2 : 1;
  }
  return points.subarray(0, count);
}

/** Whether every text that `inner` matches is matched by `outer`. May miss a roundabout yes, never says a wrong one. */
export function globCovers(outer: string, inner: string): boolean {
  return walkPair(outer, inner, (wanted, given) => given !== '*' && (wanted === '?' || wanted === given), false);
}

/** Whether some text is matched by both patterns. */
export function globsOverlap(left: string, right: string): boolean {
  return walkPair(left, right, (a, b) => a === '?' || b === '?' || a === b, true);
}

/**
 * Walks two patterns together, one row of states at a time: quadratic, no backtracking. A star of `left` may take any
 * element of `right`; with `bothStars` a star of `right` may take any element of `left` too.
 */
function walkPair(
  leftText: string,
  rightText: string,
  step: (left: string, right: string) => boolean,
  bothStars: boolean,
): boolean {
  const left = [...leftText];
  const right = [...rightText];
  let row = new Uint8Array(right.length + 1);
  row[0] = 1;
  for (let j = 0; j < right.length; j++) row[j + 1] = bothStars && right[j] === '*' ? row[j]! : 0;
  for (const wanted of left) {
    const next = new Uint8Array(right.length + 1);
    next[0] = wanted === '*' ? row[0]! : 0;
    for (let j = 0; j < right.length; j++) {
      const given = right[j]!;
      if (wanted === '*') next[j + 1] = row[j + 1]! | next[j]!;
      else if (bothStars && given === '*') next[j + 1] = row[j + 1]! | next[j]!;
      else next[j + 1] = step(wanted, given) ? row[j]! : 0;
    }
    row = next;
  }
  return row[right.length] === 1;
}
