// From a module's JSON Schema to the fields of its form. What the schema does
// not say is kept beside the form as it is, and never lost.

import type { JsonSchema } from "../types";
import type { ModuleNode } from "../document";
import { isShown } from "./rules";
import { writeJson } from "../../../api/exact";

export type FieldKind = "template" | "text" | "number" | "yes-no" | "choice" | "rows" | "list" | "group" | "json";

/** A field of a form. */
export interface Field {
  name: string;
  label: string;
  hint: string | null;
  kind: FieldKind;
  required: boolean;
  advanced: boolean;
  /** Values of earlier modules may stand in it. */
  mappable: boolean;
  /** What is chosen from; of a choice. */
  choices: unknown[];
  /** Where what is chosen from comes from, such as `connection`. */
  picker: string | null;
  fallback: unknown;
  /** Columns of rows, fields of a group. */
  inside: Field[];
}

/** Where a field lies in a module. */
export type Part = "parameters" | "mapper";

/** Parameters whose values are names of something of ours, whatever the schema says. */
const PICKERS: Record<string, string> = {
  connection: "connection",
  certificate: "connection",
  hook: "hook",
  knowledgeModel: "model",
  pool: "pool",
};

/** Makes the fields of a part of the form. */
export function fieldsOf(schema: JsonSchema, part: Part): Field[] {
  const own = schema.properties?.[part];
  return own === undefined ? [] : inside(own, part);
}

function inside(schema: JsonSchema, part: Part): Field[] {
  const required = new Set(schema.required ?? []);
  return Object.entries(schema.properties ?? {}).map(([name, property]) => {
    const kind = kindOf(property, part);
    return {
      name,
      label: property.title ?? inWords(name),
      hint: property.description ?? null,
      kind,
      required: required.has(name),
      advanced: property["x-advanced"] === true,
      mappable: part === "mapper",
      choices: property.enum ?? [],
      picker: property["x-picker"] ?? (property.title === "Data structure" ? "structure" : (PICKERS[name] ?? null)),
      fallback: property.default,
      inside: kind === "rows" ? inside(property.items ?? {}, part) : kind === "group" ? inside(property, part) : [],
    };
  });
}

/** A name of a schema that has no title, as words: `fieldType` is "Field type". */
export function inWords(name: string): string {
  if (!/^[a-z]+([A-Z][a-z]+)*$/.test(name)) return name;
  const words = name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
  return words.charAt(0).toUpperCase() + words.slice(1);
}

function kindOf(schema: JsonSchema, part: Part): FieldKind {
  if (schema.enum !== undefined) return "choice";
  const mapped = part === "mapper";
  switch (schema.type) {
    case "boolean":
      return "yes-no";
    case "integer":
    case "number":
      return mapped ? "template" : "number";
    case "array":
      return schema.items?.properties !== undefined ? "rows" : "list";
    case "object":
      return schema.properties === undefined ? "json" : "group";
    case "string":
      return mapped ? "template" : "text";
    default:
      return mapped ? "template" : "json";
  }
}

/** What a part of a module holds, as an object. */
export function partOf(module: ModuleNode, part: Part): Record<string, unknown> {
  const held = module[part];
  return typeof held === "object" && held !== null && !Array.isArray(held) ? (held as Record<string, unknown>) : {};
}

/** The fields that matter as the module is set now. */
export function shownFields(fields: Field[], module: ModuleNode): Field[] {
  const mapper = partOf(module, "mapper");
  return fields.filter((field) => isShown(module.module, field.name, mapper));
}

/** Names that a part holds and the form does not know. */
export function unknownNames(fields: Field[], held: Record<string, unknown>): string[] {
  const known = new Set(fields.map((field) => field.name));
  return Object.keys(held).filter((name) => !known.has(name));
}

/** Sets a value in a part of a module; nothing takes it away. */
export function withValue(module: ModuleNode, part: Part, name: string, value: unknown): ModuleNode {
  const held = { ...partOf(module, part) };
  if (value === undefined) delete held[name];
  else held[name] = value;
  return { ...module, [part]: held };
}

/** Shows a value as the text that a person would write. */
export function asText(value: unknown): string {
  if (value === undefined || value === null) return "";
  return typeof value === "string" ? value : writeJson(value);
}
