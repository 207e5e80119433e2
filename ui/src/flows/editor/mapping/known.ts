// What modules give is known before they run where a person has said it: in the
// data structure that they name, or by a request that a webhook was shown.

import type { Item } from "../../../hooks/api";
import type { Field } from "../../../structures/api";
import type { FlowDocument } from "../document";
import { modules } from "../edits";
import type { OutputField } from "../types";

/** By the ids of the modules. */
export type Known = ReadonlyMap<number, OutputField[]>;

/** Modules that give what a data structure says. */
const READERS = new Set(["json:ParseJSON", "csv:ParseCSV"]);

/** What a module names that says what it gives: `7 hook orders`. */
export function namings(document: FlowDocument): string[] {
  return modules(document).flatMap(({ id, module, parameters }) => {
    const { hook, type } = parameters ?? {};
    if (typeof hook === "string" && hook !== "") return [`${id} hook ${hook}`];
    if (READERS.has(module) && typeof type === "string" && type !== "") return [`${id} structure ${type}`];
    return [];
  });
}

/** The fields of a structure or of a request, as modules tell theirs. */
export function outputsOf(fields: readonly (Field | Item)[]): OutputField[] {
  return fields.map((field) => {
    const spec = field.spec;
    const inner = Array.isArray(spec) ? spec : (spec?.spec ?? []);
    const label = "label" in field && typeof field.label === "string" && field.label !== "" ? { label: field.label } : {};
    return { name: field.name, kind: field.type, ...label, ...(inner.length === 0 ? {} : { fields: outputsOf(inner) }) };
  });
}
