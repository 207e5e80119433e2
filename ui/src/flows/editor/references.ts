// What a text says of other modules: `{{5.data.id}}` names module 5. Texts in
// quotes and names in backticks are not looked into.

const MAPPED = /\{\{([\s\S]*?)\}\}/g;

/** Gives the modules that a text names other numbers. */
export function renumber(text: string, numbers: ReadonlyMap<number, number>): string {
  if (!text.includes("{{")) return text;
  return text.replace(MAPPED, (_, inside: string) => `{{${expression(inside, numbers)}}}`);
}

/** The modules that a text names. */
export function named(text: string): Set<number> {
  const found = new Set<number>();
  const spy = { get: (id: number) => void found.add(id) } as unknown as ReadonlyMap<number, number>;
  renumber(text, spy);
  return found;
}

function expression(text: string, numbers: ReadonlyMap<number, number>): string {
  let out = "";
  for (let at = 0; at < text.length; ) {
    const rest = text.slice(at);
    const quoted = /^"(?:[^"]|"")*"?/.exec(rest);
    if (quoted !== null) {
      out += quoted[0];
      at += quoted[0].length;
      continue;
    }
    const name = /^`[^`]*`?/.exec(rest);
    if (name !== null) {
      // A number in backticks with nothing before it is the whole bundle.
      const whole = /^`(\d+)`$/.exec(name[0]);
      const next = whole !== null && text[at - 1] !== "." ? numbers.get(Number(whole[1])) : undefined;
      out += next === undefined ? name[0] : `\`${next}\``;
      at += name[0].length;
      continue;
    }
    const word = /^[\p{L}_$][\p{L}\p{N}_$]*(?:\.\d+)*/u.exec(rest);
    if (word !== null) {
      out += word[0];
      at += word[0].length;
      continue;
    }
    const reference = /^(\d+)(?=\.\s*[\p{L}_$`])/u.exec(rest);
    if (reference !== null && text[at - 1] !== ".") {
      const next = numbers.get(Number(reference[1]));
      out += next === undefined ? reference[1] : String(next);
      at += reference[1]!.length;
      continue;
    }
    const number = /^\d+(?:\.\d+)?/.exec(rest);
    const taken = number === null ? rest[0]! : number[0];
    out += taken;
    at += taken.length;
  }
  return out;
}

/** Renumbers in every text of a value, whatever its form. */
export function renumberIn<T>(value: T, numbers: ReadonlyMap<number, number>): T {
  if (typeof value === "string") return renumber(value, numbers) as T;
  if (Array.isArray(value)) return value.map((item: unknown) => renumberIn(item, numbers)) as T;
  if (value !== null && typeof value === "object") {
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, renumberIn(item, numbers)])) as T;
  }
  return value;
}
