// Reads a template as an editor needs it: which letters are plain text, which
// are expressions, and what stands in those. It reads what is half written, too,
// and judges nothing: the server says what is wrong with a template.

export type TokenKind = "number" | "text" | "word" | "quoted" | "sign" | "bad";

export interface Token {
  kind: TokenKind;
  from: number;
  to: number;
}

/** A step of a path: a name, a place in a list counted from one, or null for `[]`. */
export type Step = { name: string } | { index: number | null };

/** A path to a value. */
export interface Reference {
  from: number;
  to: number;
  /** Of a module's bundle, by its id, or of a name such as `now`. */
  root: number | string;
  path: Step[];
}

/** A call of a function, or brackets: where they open and close. */
export interface Brackets {
  open: number;
  /** Null where nothing closes them. */
  close: number | null;
}

/** What stands between `{{` and `}}`, which belong to it. */
export interface Mapped {
  from: number;
  to: number;
  /** It ends with `}}`. */
  closed: boolean;
  tokens: Token[];
  references: Reference[];
  /** Names of functions that are called. */
  calls: Token[];
  brackets: Brackets[];
  /** It is one reference and nothing else. */
  whole: Reference | null;
}

const SIGNS = ["===", "==", "!=", "<=", ">=", "&&", "||", "=", "<", ">", "&", "|", "+", "-", "*", "/", "%", "(", ")", "[", "]", ";", "."];
const BLANK = /\s+/uy;
const NUMBER = /\d+(?:\.\d+)?/y;
const WORD = /[\p{Alphabetic}\p{N}_$@]+/uy;
const QUOTED = /`[^`]*`/y;
const TEXT = { '"': /"(?:[^"]|"")*"/y, "'": /'(?:[^']|'')*'/y };

/** Finds the expressions of a template. */
export function expressions(text: string): Mapped[] {
  const found: Mapped[] = [];
  let at = text.indexOf("{{");
  while (at >= 0) {
    const mapped = expression(text, at);
    found.push(mapped);
    at = text.indexOf("{{", mapped.to);
  }
  return found;
}

function expression(text: string, from: number): Mapped {
  const { tokens, to, closed } = tokensOf(text, from + 2);
  const { references, calls } = namesIn(text, tokens);
  const [only] = references;
  const isWhole = closed && only !== undefined && tokens.length > 0 && only.from === tokens[0]!.from && only.to === tokens.at(-1)!.to;
  return { from, to, closed, tokens, references, calls, brackets: bracketsIn(text, tokens), whole: isWhole ? only : null };
}

function tokensOf(text: string, from: number): { tokens: Token[]; to: number; closed: boolean } {
  const tokens: Token[] = [];
  let at = from;
  for (;;) {
    at = behind(BLANK, text, at) ?? at;
    if (at >= text.length) return { tokens, to: text.length, closed: false };
    if (text.startsWith("}}", at)) return { tokens, to: at + 2, closed: true };
    const token = tokenAt(text, at);
    tokens.push(token);
    at = token.to;
  }
}

function tokenAt(text: string, from: number): Token {
  const of = (kind: TokenKind, to: number | null): Token => ({ kind: to === null ? "bad" : kind, from, to: to ?? text.length });
  const first = text[from]!;
  if (first === '"' || first === "'") return of("text", behind(TEXT[first], text, from));
  if (first === "`") return of("quoted", behind(QUOTED, text, from));
  const word = behind(WORD, text, from);
  if (word !== null) {
    const number = behind(NUMBER, text, from);
    // A name may begin with digits: `2fa`. But `1.data` is a number, a dot, and a name.
    if (number === null || (number < word && !/^\d+$/.test(text.slice(from, word)))) return of("word", word);
    const joins = behind(WORD, text, number);
    return joins === null ? of("number", number) : of("word", word);
  }
  const sign = SIGNS.find((known) => text.startsWith(known, from));
  if (sign !== undefined) return of("sign", from + sign.length);
  return { kind: "bad", from, to: from + String.fromCodePoint(text.codePointAt(from)!).length };
}

function behind(pattern: RegExp, text: string, at: number): number | null {
  pattern.lastIndex = at;
  return pattern.test(text) ? pattern.lastIndex : null;
}

/** What the tokens name: values, and functions that are called. */
function namesIn(text: string, tokens: Token[]): { references: Reference[]; calls: Token[] } {
  const references: Reference[] = [];
  const calls: Token[] = [];
  const said = (place: number) => (tokens[place] === undefined ? "" : text.slice(tokens[place].from, tokens[place].to));
  const isSign = (place: number, sign: string) => tokens[place]?.kind === "sign" && said(place) === sign;
  for (let place = 0; place < tokens.length; place += 1) {
    const token = tokens[place]!;
    if (token.kind === "word" && isSign(place + 1, "(")) {
      calls.push(token);
      continue;
    }
    const root = rootOf(token, said(place), isSign(place + 1, ".") || isSign(place + 1, "["));
    if (root === null) continue;
    const path: Step[] = [];
    let last = place;
    for (;;) {
      const next = tokens[last + 2];
      if (isSign(last + 1, ".") && next !== undefined && (next.kind === "word" || next.kind === "quoted" || next.kind === "number")) {
        path.push({ name: next.kind === "quoted" ? said(last + 2).slice(1, -1) : said(last + 2) });
        last += 2;
      } else if (isSign(last + 1, "[") && isSign(last + 2, "]")) {
        path.push({ index: null });
        last += 2;
      } else if (isSign(last + 1, "[") && next?.kind === "number" && isSign(last + 3, "]")) {
        path.push({ index: Number(said(last + 2)) });
        last += 3;
      } else if (isSign(last + 1, "[") && isSign(last + 2, "-") && tokens[last + 3]?.kind === "number" && isSign(last + 4, "]")) {
        path.push({ index: -Number(said(last + 3)) });
        last += 4;
      } else break;
    }
    // `1.` is on its way to be one.
    if (token.kind === "number" && path.length === 0) continue;
    references.push({ from: token.from, to: tokens[last]!.to, root, path });
    place = last;
  }
  return { references, calls };
}

function rootOf(token: Token, said: string, pathFollows: boolean): number | string | null {
  if (token.kind === "number" && pathFollows && /^\d{1,9}$/.test(said)) return Number(said);
  if (token.kind === "quoted") return /^`\d{1,9}`$/.test(said) ? Number(said.slice(1, -1)) : said.slice(1, -1);
  return token.kind === "word" && !WORD_SIGNS.has(said) ? said : null;
}

/** Words that are operators. */
const WORD_SIGNS = new Set(["and", "or"]);

function bracketsIn(text: string, tokens: Token[]): Brackets[] {
  const pairs: Brackets[] = [];
  const open: Brackets[] = [];
  for (const { kind, from } of tokens) {
    if (kind !== "sign") continue;
    if (text[from] === "(") {
      const pair: Brackets = { open: from, close: null };
      pairs.push(pair);
      open.push(pair);
    } else if (text[from] === ")") {
      const pair = open.pop();
      if (pair !== undefined) pair.close = from;
    }
  }
  return pairs;
}

/** The expression that a cursor at this place writes into, or null in plain text. */
export function expressionAt(mapped: readonly Mapped[], at: number): Mapped | null {
  return mapped.find(({ from, to, closed }) => at >= from + 2 && (closed ? at <= to - 2 : at <= to)) ?? null;
}

/** Something that can be put into a template. */
export type Part =
  | { kind: "value"; path: string }
  | { kind: "function"; name: string; /** It takes nothing. */ bare?: boolean }
  | { kind: "word"; text: string };

/** The letters that a part becomes at a place, and where among them the cursor then stands. */
export function written(part: Part, inside: boolean): { text: string; cursor: number } {
  const [text, cursor] = inExpression(part);
  return inside ? { text, cursor } : { text: `{{${text}}}`, cursor: cursor === text.length ? text.length + 4 : cursor + 2 };
}

function inExpression(part: Part): [text: string, cursor: number] {
  if (part.kind === "value") return [part.path, part.path.length];
  if (part.kind === "function") return [`${part.name}()`, part.name.length + (part.bare === true ? 2 : 1)];
  const text = /^[\p{L}_]/u.test(part.text) ? part.text : ` ${part.text} `;
  return [text, text.length];
}

/** A text that is one expression and nothing else, without its braces; null for any other. */
export function bare(text: string): string | null {
  const [only] = expressions(text);
  return only !== undefined && only.closed && only.from === 0 && only.to === text.length ? text.slice(2, -2) : null;
}

/** The modules that the templates in a value name, wherever they stand in it. */
export function modulesIn(value: unknown): Set<number> {
  const found = new Set<number>();
  const look = (one: unknown): void => {
    if (typeof one === "string") {
      for (const { references } of expressions(one)) for (const { root } of references) if (typeof root === "number") found.add(root);
    } else if (typeof one === "object" && one !== null) Object.values(one).forEach(look);
  };
  look(value);
  return found;
}
