// Which part of a text of several statements is meant, and where in it an
// error lies. Nothing here knows the editor.

export interface Span {
  from: number;
  to: number;
}

/**
 * Tells which text to execute: what is marked, or else the statement in which
 * the cursor stands. Null where there is none.
 */
export function meant(text: string, from: number, to: number): Span | null {
  if (from !== to) return trimmed(text, { from, to });
  const all = statements(text);
  const within = all.find((span) => span.from <= from && from <= span.to);
  if (within !== undefined) return within;
  // Between two statements the one before is meant: one has just written it.
  return all.filter((span) => span.to <= from).at(-1) ?? all[0] ?? null;
}

/** Finds the statements of a text; semicolons in quotes and comments do not end one. */
export function statements(text: string): Span[] {
  const found: Span[] = [];
  let start = 0;
  let place = 0;
  while (place < text.length) {
    const after = pastQuoted(text, place);
    if (after !== place) {
      place = after;
    } else if (text[place] === ";") {
      add(found, text, start, place);
      place += 1;
      start = place;
    } else {
      place += 1;
    }
  }
  add(found, text, start, text.length);
  return found;
}

function add(found: Span[], text: string, from: number, to: number): void {
  const span = trimmed(text, { from, to });
  if (span !== null && !onlyComments(text.slice(span.from, span.to))) found.push(span);
}

function trimmed(text: string, { from, to }: Span): Span | null {
  while (from < to && /\s/.test(text[from]!)) from += 1;
  while (to > from && /[\s;]/.test(text[to - 1]!)) to -= 1;
  return from === to ? null : { from, to };
}

function onlyComments(text: string): boolean {
  return text.replace(/--[^\n]*/g, "").replace(/\/\*[\s\S]*?\*\//g, "").trim() === "";
}

/** Returns the place behind a quoted text or a comment that begins here, or the same place. */
function pastQuoted(text: string, place: number): number {
  const sign = text[place]!;
  if (sign === "'" || sign === '"') {
    // A doubled quote ends one text and begins the next, which comes to the same.
    const end = text.indexOf(sign, place + 1);
    return end < 0 ? text.length : end + 1;
  }
  const two = text.slice(place, place + 2);
  if (two === "--") {
    const end = text.indexOf("\n", place);
    return end < 0 ? text.length : end;
  }
  if (two === "/*") {
    const end = text.indexOf("*/", place + 2);
    return end < 0 ? text.length : end + 2;
  }
  return place;
}

/** Finds in an executed text what an error speaks of: by line and column, or by a name. */
export function placeOfError(message: string, text: string): Span | null {
  const said = /Line: (\d+), Column: (\d+)/i.exec(message);
  if (said !== null) {
    const lines = text.split("\n");
    const line = Number(said[1]) - 1;
    const before = lines.slice(0, line).reduce((sum, each) => sum + each.length + 1, 0);
    const from = Math.min(before + Number(said[2]) - 1, text.length);
    const word = /^[\w"]+|^./.exec(text.slice(from))?.[0] ?? "";
    return word === "" ? { from: Math.max(0, text.length - 1), to: text.length } : { from, to: from + word.length };
  }
  const name = /no field named "?([^\s".]+(?:\."?[^\s".]+)?)"?/i.exec(message)?.[1] ?? /'([^']+)'/.exec(message)?.[1];
  if (name === undefined) return null;
  const last = name.split(".").at(-1)!.replaceAll('"', "");
  const from = text.toLowerCase().search(new RegExp(`(?<![\\w])${escaped(last.toLowerCase())}(?![\\w])`));
  return from < 0 ? null : { from, to: from + last.length };
}

const escaped = (text: string) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");

/** Writes a name so that it can stand in a statement. */
export function quoted(name: string): string {
  return /^[a-z_][a-z0-9_]*$/.test(name) ? name : `"${name.replaceAll('"', '""')}"`;
}
