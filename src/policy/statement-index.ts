import type { CompiledCondition } from './condition.ts';
import { compileMatcher, type Matcher, matches } from './matcher.ts';
import type { Effect } from './types.ts';

/** One statement, ready to be matched. */
export interface CompiledStatement {
  readonly policy: string | undefined;
  readonly name: string | undefined;
  readonly effect: Effect;
  readonly principals: Matcher;
  readonly actions: Matcher;
  readonly resources: Matcher;
  readonly conditions: readonly CompiledCondition[];
}

export interface StatementSource {
  readonly policy: string | undefined;
  readonly name: string | undefined;
  readonly effect: Effect;
  readonly principals: readonly string[];
  /** Canonical spelling, lower case. */
  readonly actions: readonly string[];
  readonly resources: readonly string[];
  readonly conditions: readonly CompiledCondition[];
}

/**
 * Statements filed by principal, then resource, then action, so that a question meets only those that may concern it:
 * exact texts in maps, wildcard patterns under (a cut of) the literal text that they start with.
 */
export interface StatementIndex {
  readonly statements: readonly CompiledStatement[];
  readonly byPrincipal: TextIndex<TextIndex<ActionIndex>>;
}

interface TextIndex<T> {
  readonly exact: Map<string, T>;
  readonly byPrefix: Map<string, T>;
  /** Lengths that occur in `byPrefix`, ascending. */
  readonly lengths: number[];
}

/** Made only where there are enough statements to be worth it. */
interface ActionIndex {
  exact: Map<string, Leaf> | undefined;
  /** Statements of any action. */
  readonly wild: Leaf;
}

export interface Leaf {
  readonly deny: CompiledStatement[];
  readonly allow: CompiledStatement[];
}

/** Few lengths, so that a look-up asks for few of them whatever the patterns are. */
const PREFIX_LENGTHS = [128, 96, 64, 48, 32, 24, 16, 12, 8, 4, 0] as const;
/** A statement with more combinations than this is filed less precisely instead of very often. */
const PLACES_MAX = 512;
/** So many statements are tried one by one before more are told apart by action. */
const UNSORTED_MAX = 8;

export function compileIndex(sources: Iterable<StatementSource>): StatementIndex {
  const statements: CompiledStatement[] = [];
  const byPrincipal = newTextIndex<TextIndex<ActionIndex>>();
  // Many statements share their lists of actions and principals, word for word.
  const seen = new Map<string, Matcher>();
  const matcherOf = (patterns: readonly string[]) =>
    getOrMake(seen, JSON.stringify(patterns), () => compileMatcher(patterns));
  for (const source of sources) {
    const statement: CompiledStatement = {
      policy: source.policy,
      name: source.name,
      effect: source.effect,
      principals: matcherOf(source.principals),
      actions: matcherOf(source.actions),
      resources: matcherOf(source.resources),
      conditions: source.conditions,
    };
    statements.push(statement);
    file(byPrincipal, statement);
  }
  return { statements, byPrincipal };
}

function file(byPrincipal: TextIndex<TextIndex<ActionIndex>>, statement: CompiledStatement): void {
  const { principals, resources, actions } = statement;
  const pairs = countOf(principals) * countOf(resources);
  const narrow = pairs <= PLACES_MAX;
  const spotCount = narrow ? pairs : countOf(principals);
  const byAction = actions.globs.length === 0 && spotCount * actions.exact.size <= PLACES_MAX;
  for (const byResource of places(byPrincipal, principals, () => newTextIndex<ActionIndex>())) {
    const spots = narrow
      ? places(byResource, resources, newActionIndex)
      : new Set([placeOf(byResource.byPrefix, '', byResource, newActionIndex)]);
    for (const spot of spots) {
      if (byAction && spot.wild.deny.length + spot.wild.allow.length >= UNSORTED_MAX) {
        spot.exact ??= new Map();
        for (const action of actions.exact) addTo(getOrMake(spot.exact, action, newLeaf), statement);
      } else addTo(spot.wild, statement);
    }
  }
}

/** The distinct entries under which a list of patterns is filed. */
function places<T>(index: TextIndex<T>, matcher: Matcher, make: () => T): Set<T> {
  const found = new Set<T>();
  if (matcher.any) return found.add(placeOf(index.byPrefix, '', index, make));
  for (const text of matcher.exact) found.add(getOrMake(index.exact, text, make));
  for (const glob of matcher.globs) {
    const length = PREFIX_LENGTHS.find((candidate) => candidate <= glob.prefix.length) ?? 0;
    found.add(placeOf(index.byPrefix, glob.prefix.slice(0, length), index, make));
  }
  return found;
}

function placeOf<T>(map: Map<string, T>, prefix: string, index: TextIndex<T>, make: () => T): T {
  if (!index.lengths.includes(prefix.length)) {
    index.lengths.push(prefix.length);
    index.lengths.sort((a, b) => a - b);
  }
  return getOrMake(map, prefix, make);
}

/**
 * The leaves that hold every statement which may match. `principal` undefined = nobody by name, only statements for
 * `*`; `resource` undefined = no resource by name, only statements for `*`. A leaf may hold more than what matches.
 */
export function candidates(
  index: StatementIndex,
  principal: string | undefined,
  resource: string | undefined,
  action: string,
): readonly Leaf[] {
  const leaves: Leaf[] = [];
  for (const byResource of lookUp(index.byPrincipal, principal)) {
    for (const byAction of lookUp(byResource, resource)) {
      const exact = byAction.exact?.get(action);
      if (exact !== undefined) leaves.push(exact);
      leaves.push(byAction.wild);
    }
  }
  return leaves;
}

function lookUp<T>(index: TextIndex<T>, text: string | undefined): readonly T[] {
  const found: T[] = [];
  if (text !== undefined) {
    const exact = index.exact.get(text);
    if (exact !== undefined) found.push(exact);
  }
  for (const length of index.lengths) {
    if (length > (text?.length ?? 0)) break;
    const entry = index.byPrefix.get(text === undefined ? '' : text.slice(0, length));
    if (entry !== undefined) found.push(entry);
  }
  return found;
}

/** Whether the statement itself, apart from its conditions, speaks of this. Undefined as in `candidates`. */
export function concerns(
  statement: CompiledStatement,
  principal: string | undefined,
  resource: string | undefined,
  action: string,
  actionOtherwise: string | undefined,
): boolean {
  const { principals, resources, actions } = statement;
  return (
    (principal === undefined ? principals.any : matches(principals, principal)) &&
    (resource === undefined ? resources.any : matches(resources, resource)) &&
    (matches(actions, action) || (actionOtherwise !== undefined && matches(actions, actionOtherwise)))
  );
}

function countOf(matcher: Matcher): number {
  return matcher.any ? 1 : matcher.exact.size + matcher.globs.length;
}

function addTo(leaf: Leaf, statement: CompiledStatement): void {
  (statement.effect === 'Deny' ? leaf.deny : leaf.allow).push(statement);
}

function newTextIndex<T>(): TextIndex<T> {
  return { exact: new Map(), byPrefix: new Map(), lengths: [] };
}

function newActionIndex(): ActionIndex {
  return { exact: undefined, wild: newLeaf() };
}

function newLeaf(): Leaf {
  return { deny: [], allow: [] };
}

function getOrMake<T>(map: Map<string, T>, key: string, make: () => T): T {
  let value = map.get(key);
  if (value === undefined) {
    value = make();
    map.set(key, value);
  }
  return value;
}
