// Something of ours, chosen by its name, or made where it is missed.

import { useState } from "react";
import { useQuery } from "@tanstack/react-query";

import { json } from "../../../api/client";
import { ConnectionDialog } from "../../../connections/ConnectionDialog";
import { kindsFor } from "../../../connections/kinds";
import { HookDialog } from "../../../hooks/HookDialog";
import { StructureDialog } from "../../../structures/StructureDialog";
import { find } from "../edits";
import { useEditor, useEditorStore } from "../store";
import { asText } from "./fields";
import type { Inner } from "./inputs";

const LISTS: Record<string, { path: string; name: (one: Record<string, unknown>) => [value: string, label: string] }> = {
  connection: { path: "/api/v1/connections", name: (one) => [String(one["name"]), `${String(one["name"])} (${String(one["kind"] ?? "")})`] },
  hook: { path: "/api/v1/hooks", name: (one) => [String(one["name"] ?? one["key"]), String(one["label"] ?? one["name"] ?? one["key"])] },
  pool: { path: "/api/v1/pools", name: (one) => [String(one["name"]), String(one["name"])] },
  structure: { path: "/api/v1/data-structures", name: (one) => [String(one["name"]), String(one["name"])] },
  model: { path: "/api/v1/models", name: (one) => [String(one["id"] ?? one["key"]), String(one["name"] ?? one["id"] ?? one["key"])] },
};

/** Something of ours, chosen by its name; what is not in the list can be typed. */
export function Picker({ field, value, onChange, readonly, id, described }: Inner) {
  const source = LISTS[field.picker ?? ""];
  const found = useQuery({
    queryKey: [`${field.picker ?? ""}s`, "names"],
    queryFn: async () => {
      const list = await json<Record<string, unknown>[] | { [key: string]: Record<string, unknown>[] }>("GET", source!.path);
      return (Array.isArray(list) ? list : (Object.values(list).find(Array.isArray) ?? [])).map(source!.name);
    },
    enabled: source !== undefined,
  });
  const [asking, setAsking] = useState(false);
  const store = useEditorStore();
  const selection = useEditor((editor) => editor.selection);
  const now = asText(value);
  const kindName = selection?.kind === "module" ? (find(store.getState().document, selection.id)?.module.module ?? "") : "";
  const isThere = found.data?.some(([name]) => name === now) === true;
  const adds = field.picker === "hook" || field.picker === "connection" || field.picker === "structure";
  return (
    <>
      <div className="panel-picker">
      <input
        id={id}
        list={`${id}-list`}
        aria-describedby={described}
        readOnly={readonly}
        value={now}
        placeholder={found.data?.length === 0 ? "none yet" : ""}
        onChange={(event) => onChange(event.target.value === "" ? undefined : event.target.value)}
      />
      {adds && !readonly && (
        <button type="button" aria-label={field.picker === "connection" || !isThere ? `Add for ${field.label}` : `Set ${now}`} onClick={() => setAsking(true)}>
          {field.picker === "connection" || !isThere ? "Add" : "Set"}
        </button>
      )}
      </div>
      <datalist id={`${id}-list`}>
        {(found.data ?? []).map(([name, label]) => (
          <option key={name} value={name}>
            {label}
          </option>
        ))}
      </datalist>
      {asking && field.picker === "hook" && <HookDialog hook={isThere ? now : undefined} onMade={onChange} onClose={() => setAsking(false)} />}
      {asking && field.picker === "connection" && <ConnectionDialog kinds={kindsFor(kindName)} onStored={onChange} onClose={() => setAsking(false)} />}
      {asking && field.picker === "structure" && <StructureDialog structure={isThere ? now : undefined} onStored={onChange} onClose={() => setAsking(false)} />}
    </>
  );
}
