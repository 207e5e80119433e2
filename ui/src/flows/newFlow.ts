// What a person types for a new flow, made into what the API takes.

import type { JsonSchema } from "./editor/types";

/** What was typed, in the types that the form asks for. */
export function filled(form: JsonSchema, values: Record<string, unknown>): Record<string, unknown> {
  const result: Record<string, unknown> = {};
  for (const [name, schema] of Object.entries(form.properties ?? {})) {
    const text = values[name] === undefined ? "" : String(values[name]).trim();
    if (text === "") continue;
    if (schema.type === "array") result[name] = text.split(",").map((item) => item.trim()).filter((item) => item !== "");
    else if (schema.type === "integer" || schema.type === "number") result[name] = Number(text);
    else if (schema.type === "boolean") result[name] = text === "true";
    else result[name] = text;
  }
  return result;
}

/** Makes a key of a name, as people would write it in an address. */
export function keyOf(name: string): string {
  return name
    .normalize("NFKD")
    .replace(/\p{M}/gu, "")
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-+|-+$/g, "");
}
