// Changes of a structure's fields. A place is the way to a field from the top.

import type { Field } from "./api";

export type Place = readonly number[];

/** The fields inside a field; nothing where it has none. */
export function inside(field: Field): Field[] | null {
  if (field.type !== "collection" && field.type !== "array") return null;
  if (Array.isArray(field.spec)) return field.spec;
  return Array.isArray(field.spec?.spec) ? field.spec.spec : field.type === "collection" || field.spec === undefined ? [] : null;
}

/** Puts fields inside a field, in the form that it has. */
function filled(field: Field, fields: Field[]): Field {
  const { spec } = field;
  return { ...field, spec: spec !== undefined && !Array.isArray(spec) ? { ...spec, spec: fields } : fields };
}

/** Changes the list in which a place lies. */
function changed(fields: readonly Field[], place: Place, change: (list: Field[], at: number) => Field[]): Field[] {
  const [first, ...rest] = place;
  if (first === undefined) return [...fields];
  if (rest.length === 0) return change([...fields], first);
  return fields.map((field, at) => (at === first ? filled(field, changed(inside(field) ?? [], rest, change)) : field));
}

export const replaced = (fields: readonly Field[], place: Place, field: Field): Field[] => changed(fields, place, (list, at) => list.map((one, here) => (here === at ? field : one)));

export const removed = (fields: readonly Field[], place: Place): Field[] => changed(fields, place, (list, at) => list.filter((_, here) => here !== at));

/** Adds an empty text behind the last field of a list; the place is that of the list's owner. */
export function added(fields: readonly Field[], owner: Place): Field[] {
  const fresh: Field = { name: "", type: "text" };
  if (owner.length === 0) return [...fields, fresh];
  return changed(fields, owner, (list, at) => list.map((one, here) => (here === at ? filled(one, [...(inside(one) ?? []), fresh]) : one)));
}

/** Gives a field another type; what was inside stays where it can. */
export function retyped(field: Field, type: string): Field {
  const { spec, ...rest } = field;
  const kept = inside(field);
  return type === "collection" || type === "array" ? { ...rest, type, spec: kept ?? spec ?? [] } : { ...rest, type };
}

/** Says what is wrong with the names, in words; nothing if all is well. */
export function wrong(fields: readonly Field[], above = ""): string | null {
  const names = new Set<string>();
  for (const field of fields) {
    if (field.name.trim() === "") return `A field${above === "" ? "" : ` in ${above}`} has no name.`;
    if (names.has(field.name)) return `"${field.name}" is there twice${above === "" ? "" : ` in ${above}`}.`;
    names.add(field.name);
    const deeper = wrong(inside(field) ?? [], field.name);
    if (deeper !== null) return deeper;
  }
  return null;
}
