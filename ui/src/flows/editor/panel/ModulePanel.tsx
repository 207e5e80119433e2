import { useState } from "react";
import { X } from "lucide-react";

import type { ModuleNode } from "../document";
import { find, IF_ELSE, REPEAT_UNTIL, setDesigner, update } from "../edits";
import { MappingPanel } from "../mapping/MappingPanel";
import { runsAlone } from "../mapping/outputs";
import { RunAlone } from "../mapping/RunAlone";
import { useEditor, useEditorStore } from "../store";
import type { ModuleKind } from "../types";
import { Branches, Until } from "./Branches";
import { fieldsOf, partOf, shownFields, unknownNames, withValue, type Field, type Part } from "./fields";
import { holdsJson, isRare } from "./rules";
import { FreeFields, takesAnyField } from "./FreeFields";
import { FieldInput } from "./inputs";
import { writeJson } from "../../../api/exact";

/** The settings of the module that is selected. */
export function ModulePanel() {
  const selection = useEditor((editor) => editor.selection);
  const id = selection?.kind === "module" ? selection.id : null;
  const module = useEditor((editor) => (id === null ? undefined : find(editor.document, id)?.module));
  const kind = useEditor((editor) => (module === undefined ? undefined : editor.kinds.get(module.module)));
  const store = useEditorStore();
  if (module === undefined) return null;
  return (
    <div className="panel">
      <header className="panel-head">
        {kind !== undefined && (
          <span className="panel-icon" style={{ background: kind.colour }} aria-hidden="true">
            <img alt="" src={`data:image/svg+xml,${encodeURIComponent(kind.icon.replaceAll("currentColor", "#fff"))}`} width={20} height={20} />
          </span>
        )}
        <div>
          <h2>{kind?.label ?? module.module}</h2>
          <p className="muted panel-kind">
            {kind?.appName ?? "Unknown app"} · module {module.id}
          </p>
          {runsAlone(kind) && <RunAlone module={module.id} name={module.metadata?.designer?.name ?? kind?.label ?? module.module} />}
        </div>
        <button type="button" className="icon" aria-label="Close the settings" onClick={() => store.getState().setOpen(false)}>
          <X aria-hidden="true" size={18} />
        </button>
      </header>
      <div className="panel-body">
        {kind === undefined ? (
          <p className="problem">
            There is no module “{module.module}” here. It stays in the flow as it is, and a run that reaches it fails with a clear error.
          </p>
        ) : (
          <p className="hint">{kind.description}</p>
        )}
        <Name module={module} />
        {module.module === IF_ELSE && <Branches module={module} />}
        {module.module === REPEAT_UNTIL && <Until module={module} />}
        {kind !== undefined && <Form module={module} kind={kind} />}
      </div>
      <MappingPanel />
    </div>
  );
}

function Name({ module }: { module: ModuleNode }) {
  const edit = useEditor((editor) => editor.edit);
  const readonly = useEditor((editor) => editor.readonly);
  return (
    <div className="field">
      <label htmlFor="module-name">Name</label>
      <input
        id="module-name"
        readOnly={readonly}
        placeholder="What it does in this flow"
        value={module.metadata?.designer?.name ?? ""}
        onChange={(event) => {
          const name = event.target.value;
          edit("Name a module", (document) => setDesigner(document, module.id, { name }), `name ${module.id}`);
        }}
      />
    </div>
  );
}

function Form({ module, kind }: { module: ModuleNode; kind: ModuleKind }) {
  const [advanced, setAdvanced] = useState(false);
  const settings = fieldsOf(kind.schema, "parameters");
  const isFirst = (field: Field) => field.picker !== null && !field.advanced && field.name !== "certificate";
  // What it works with comes first, then what is mapped, then how it behaves.
  const parts: { part: Part; fields: Field[] }[] = [
    { part: "parameters", fields: settings.filter(isFirst) },
    { part: "mapper", fields: fieldsOf(kind.schema, "mapper") },
    { part: "parameters", fields: settings.filter((field) => !isFirst(field)) },
  ];
  const isAdvanced = (field: Field) => field.advanced || isRare(module.module, field.name);
  const hasAdvanced = parts.some(({ fields }) => fields.some(isAdvanced));
  const isFree = takesAnyField(kind.schema);
  return (
    <div className="panel-form">
      {parts.map(({ part, fields }) => {
        if (part === "mapper" && isFree) return <FreeFields key={part} module={module} />;
        const held = partOf(module, part);
        const shown = shownFields(fields, module).filter((field) => advanced || !isAdvanced(field) || isSet(held[field.name], field));
        return shown.map((field) => <One key={`${part}.${field.name}`} module={module} part={part} field={field} />);
      })}
      {hasAdvanced && (
        <label className="panel-advanced">
          <input type="checkbox" checked={advanced} onChange={(event) => setAdvanced(event.target.checked)} /> Show advanced settings
        </label>
      )}
      <Others module={module} parts={parts} free={isFree} />
    </div>
  );
}

/** A person has chosen something other than what holds anyhow. */
function isSet(value: unknown, field: Field): boolean {
  return value !== undefined && value !== null && value !== "" && value !== field.fallback && !(Array.isArray(value) && value.length === 0);
}

function One({ module, part, field }: { module: ModuleNode; part: Part; field: Field }) {
  const edit = useEditor((editor) => editor.edit);
  const readonly = useEditor((editor) => editor.readonly);
  const problem = useEditor(
    (editor) => editor.notices.find((notice) => notice.module === module.id && notice.field === `${part}.${field.name}`)?.text,
  );
  const isJson = part === "mapper" && holdsJson(module.module, field.name, partOf(module, "mapper"));
  const change = (value: unknown) =>
    edit(`Set ${field.label}`, (document) => update(document, module.id, (before) => withValue(before, part, field.name, value)), `${module.id}.${part}.${field.name}`);
  return <FieldInput field={field} value={partOf(module, part)[field.name]} onChange={change} readonly={readonly} problem={problem} isJson={isJson} />;
}

/** What the module holds and the form does not know: it is shown and kept. */
function Others({ module, parts, free }: { module: ModuleNode; parts: { part: Part; fields: Field[] }[]; free: boolean }) {
  const others = (free ? (["parameters"] as const) : (["parameters", "mapper"] as const)).flatMap((part) => {
    const held = partOf(module, part);
    const fields = parts.filter((one) => one.part === part).flatMap((one) => one.fields);
    return unknownNames(fields, held).map((name) => [`${part}.${name}`, held[name]] as const);
  });
  if (others.length === 0) return null;
  return (
    <details className="panel-others">
      <summary>Other settings ({others.length})</summary>
      <dl>
        {others.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>
              <code>{writeJson(value)}</code>
            </dd>
          </div>
        ))}
      </dl>
    </details>
  );
}
