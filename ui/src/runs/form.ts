// The form of a flow's inputs: from what is typed to what the API takes, and
// from the server's refusal to the fields that it names.

import { readJson, writeJson } from "../api/exact";

export interface FormSchema {
  type?: string | string[];
  title?: string;
  description?: string;
  default?: unknown;
  const?: unknown;
  enum?: unknown[];
  oneOf?: FormSchema[];
  format?: string;
  minimum?: number;
  maximum?: number;
  minLength?: number;
  maxLength?: number;
  pattern?: string;
  items?: FormSchema;
  properties?: Record<string, FormSchema>;
  required?: string[];
  [key: string]: unknown;
}

/** Which control a field is drawn with. */
export type Control = "text" | "long" | "number" | "yes-no" | "moment" | "time" | "choice" | "json";

export function controlOf(schema: FormSchema): Control {
  if (optionsOf(schema).length > 0) return "choice";
  const type = Array.isArray(schema.type) ? schema.type[0] : schema.type;
  if (type === "boolean") return "yes-no";
  if (type === "number" || type === "integer") return "number";
  if (type === "array" || type === "object") return "json";
  if (schema.format === "date-time") return "moment";
  if (schema.format === "time") return "time";
  return (schema.maxLength ?? 0) > 200 ? "long" : "text";
}

/** Values to choose from, with what people call them. */
export function optionsOf(schema: FormSchema): { value: unknown; name: string }[] {
  if (schema.oneOf !== undefined) return schema.oneOf.map((one) => ({ value: one.const, name: one.title ?? String(one.const) }));
  return (schema.enum ?? []).map((value) => ({ value, name: String(value) }));
}

export const fieldsOf = (schema: FormSchema): [string, FormSchema][] => Object.entries(schema.properties ?? {});

/** What stands in the fields at first: what is known already, else the defaults. */
export function begun(schema: FormSchema, known: Record<string, unknown> = {}): Record<string, string> {
  return Object.fromEntries(fieldsOf(schema).map(([name, field]) => [name, typed(field, known[name] ?? field.default)]));
}

function typed(schema: FormSchema, value: unknown): string {
  if (value === undefined || value === null) return "";
  const control = controlOf(schema);
  if (control === "json") return writeJson(value, 2);
  if (control === "choice") return writeJson(value);
  if (control === "moment" && typeof value === "string") return inZone(value);
  return String(value);
}

/** A moment as fields for it have it: in the reader's zone, which they do not name. */
function inZone(moment: string): string {
  const at = new Date(moment);
  if (Number.isNaN(at.getTime())) return "";
  return new Date(at.getTime() - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

export type Filled = { input: Record<string, unknown> } | { wrong: Record<string, string> };

/** Reads what was typed. An empty field is left out, so that the flow's default counts. */
export function filled(schema: FormSchema, texts: Record<string, string>): Filled {
  const input: Record<string, unknown> = {};
  const wrong: Record<string, string> = {};
  for (const [name, field] of fieldsOf(schema)) {
    const text = texts[name] ?? "";
    const control = controlOf(field);
    if (text === "") {
      if (schema.required?.includes(name) === true && field.default === undefined) wrong[name] = "Fill this in.";
      continue;
    }
    if (control === "yes-no") input[name] = text === "true";
    else if (control === "number") {
      if (Number.isNaN(Number(text))) wrong[name] = "This is not a number.";
      // Long ids are numbers too, and keep their digits.
      else input[name] = /^-?\d+$/.test(text) ? readJson(text.replace(/^(-?)0+(?=\d)/, "$1")) : Number(text);
    } else if (control === "moment") input[name] = Number.isNaN(Date.parse(text)) ? text : new Date(text).toISOString();
    else if (control === "json" || control === "choice") {
      try {
        input[name] = readJson(text);
      } catch {
        wrong[name] = "This is not JSON. Text stands in double quotes, a list in [ ], a collection in { }.";
      }
    } else input[name] = text;
  }
  return Object.keys(wrong).length > 0 ? { wrong } : { input };
}

/** Sorts the server's words by the fields that they begin with; the rest belongs to the whole form. */
export function misfits(detail: string, names: string[]): { fields: Record<string, string>; rest: string } {
  const fields: Record<string, string> = {};
  const rest: string[] = [];
  const said = detail.replace(/^the input of flow "[^"]*" does not fit:\s*/, "");
  for (const sentence of said.split(/[;\n]\s*/)) {
    const named = /"([^"]+)"\s+(.*)$/s.exec(sentence);
    const top = named?.[1]?.split(/[.[]/)[0];
    if (named !== null && top !== undefined && names.includes(top)) {
      const words = named[1] === top ? named[2]! : `${named[1]} ${named[2]}`;
      const sentenceOf = words.charAt(0).toUpperCase() + words.slice(1);
      fields[top] = fields[top] === undefined ? sentenceOf : `${fields[top]}; ${sentenceOf}`;
    } else if (sentence.trim() !== "") rest.push(sentence.trim());
  }
  return { fields, rest: rest.join("; ") };
}
