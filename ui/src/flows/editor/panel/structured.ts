// Fields that stand in a data structure, and not in the module's own schema:
// the columns of a CSV, the items of a JSON. A drawn flow from elsewhere brings
// them along as what it expects.

import type { Field as StructureField } from "../../../structures/api";
import type { ModuleNode } from "../document";
import type { Field } from "./fields";

/** Modules that write what a data structure says. */
export const WRITERS = new Set(["csv:CreateCSVAdvanced", "json:CreateJSON", "json:AggregateToJSON"]);

/** What a module from elsewhere says that it expects. */
export function expected(module: ModuleNode): StructureField[] {
  const expect = (module.metadata as Record<string, unknown> | undefined)?.["expect"];
  return Array.isArray(expect) ? (expect as StructureField[]).filter((field) => typeof field?.name === "string") : [];
}

/** A field of a structure as one of a form. */
export function mapped(field: StructureField): Field {
  const within = Array.isArray(field.spec) ? field.spec : Array.isArray(field.spec?.spec) ? field.spec.spec : [];
  const isList = field.type === "array";
  const isGroup = field.type === "collection" && within.length > 0;
  return {
    name: field.name,
    label: field.label ?? field.name,
    hint: null,
    kind: isGroup ? "group" : isList ? (within.length > 0 ? "rows" : "list") : "template",
    required: field.required === true,
    mappable: true,
    advanced: false,
    choices: [],
    picker: null,
    fallback: field.default,
    inside: isGroup || isList ? within.map(mapped) : [],
  };
}
