// Fields that no schema lists: those of a data structure, and those that
// somebody made up. Create JSON, Create CSV and the like write what they are given.

import { useState, type FormEvent } from "react";
import { Plus, Trash2 } from "lucide-react";

import type { ModuleNode } from "../document";
import { update } from "../edits";
import { useEditor } from "../store";
import type { JsonSchema } from "../types";
import { partOf, withValue, type Field } from "./fields";
import { FieldInput } from "./inputs";
import { useStructureFields } from "./useStructureFields";

/** Tells whether a module takes fields of any name. */
export function takesAnyField(schema: JsonSchema): boolean {
  const mapper = schema.properties?.["mapper"];
  return mapper !== undefined && Object.keys(mapper.properties ?? {}).length === 0;
}

const plain = (name: string): Field => ({ name, label: name, hint: null, kind: "template", required: false, mappable: true, advanced: false, choices: [], picker: null, fallback: undefined, inside: [] });

export function FreeFields({ module }: { module: ModuleNode }) {
  const edit = useEditor((editor) => editor.edit);
  const readonly = useEditor((editor) => editor.readonly);
  const held = partOf(module, "mapper");
  const known = useStructureFields(module);
  const others = Object.keys(held).filter((name) => known.every((field) => field.name !== name));
  const set = (name: string, value: unknown) => edit(`Set ${name}`, (document) => update(document, module.id, (before) => withValue(before, "mapper", name, value)), `${module.id}.mapper.${name}`);
  return (
    <div className="panel-free">
      {known.map((field) => (
        <FieldInput key={field.name} field={field} value={held[field.name]} readonly={readonly} onChange={(value) => set(field.name, value)} />
      ))}
      {others.map((name) => (
        <div key={name} className="panel-free-one">
          <FieldInput field={typeof held[name] === "object" && held[name] !== null ? { ...plain(name), kind: "json" } : plain(name)} value={held[name]} readonly={readonly} onChange={(value) => set(name, value ?? "")} />
          {!readonly && (
            <button type="button" className="icon" aria-label={`Remove ${name}`} onClick={() => set(name, undefined)}>
              <Trash2 aria-hidden="true" size={15} />
            </button>
          )}
        </div>
      ))}
      {!readonly && <NewField taken={[...known.map((field) => field.name), ...others]} onAdd={(name) => set(name, "")} />}
    </div>
  );
}

function NewField({ taken, onAdd }: { taken: readonly string[]; onAdd: (name: string) => void }) {
  const [name, setName] = useState("");
  const add = (event: FormEvent) => {
    event.preventDefault();
    if (name.trim() === "" || taken.includes(name.trim())) return;
    onAdd(name.trim());
    setName("");
  };
  return (
    <form className="panel-picker" onSubmit={add}>
      <input aria-label="Name of another field" placeholder="Another field" value={name} onChange={(event) => setName(event.target.value)} />
      <button type="submit" className="with-icon" disabled={name.trim() === "" || taken.includes(name.trim())}>
        <Plus aria-hidden="true" size={15} /> Add field
      </button>
    </form>
  );
}
