// The parts of a form. Each is given a value and says what it becomes.

import { useId, useState, type ReactNode } from "react";
import { ArrowDown, ArrowUp, Plus, Trash2 } from "lucide-react";

import { asText, type Field } from "./fields";
import { nameOf } from "../graph";
import { useEditor } from "../store";
import { before } from "../tree";
import { Picker } from "./Picker";
import { TemplateInput } from "../mapping/TemplateInput";
import { readJson, writeJson } from "../../../api/exact";

interface Props {
  field: Field;
  value: unknown;
  onChange: (value: unknown) => void;
  readonly: boolean;
  /** What is wrong with it. */
  problem?: string | undefined;
  /** It holds JSON text. */
  isJson?: boolean;
}

/** A field with its label, its hint, and what is wrong with it. */
export function FieldInput(props: Props) {
  const { field, problem, value, onChange, readonly } = props;
  const id = useId();
  const [wanted, setWanted] = useState(false);
  const chooses = isChosen(field);
  const mapped = chooses ? isMapped(value) || (wanted && field.mappable) : isTemplate(field);
  const turn = () => {
    // What was chosen stays; a template is nothing to choose from.
    if (mapped && isMapped(value)) onChange(undefined);
    setWanted(!mapped);
  };
  const about = [field.hint === null ? null : `${id}-hint`, problem === undefined ? null : `${id}-problem`].filter((part) => part !== null);
  const described = about.length > 0 ? about.join(" ") : undefined;
  const grouped = field.kind === "rows" || field.kind === "group" || field.kind === "list";
  const label: ReactNode = (
    <>
      {field.label}
      {field.required && (
        <span className="panel-required" title="Required">
          {" "}
          *
        </span>
      )}
    </>
  );
  const body = (
    <>
      <Input {...props} id={id} described={described} mapped={mapped} />
      {field.hint !== null && (
        <p className="hint" id={`${id}-hint`}>
          {field.hint}
        </p>
      )}
      {problem !== undefined && !mapped && (
        <p className="panel-problem" id={`${id}-problem`}>
          {problem}
        </p>
      )}
    </>
  );
  if (grouped) {
    return (
      <fieldset className="field panel-group">
        <legend>{label}</legend>
        {body}
      </fieldset>
    );
  }
  const name = mapped ? (
    // The field inside says its own name; a click on this one goes there.
    <span className="label" onClick={() => document.getElementById(id)?.focus()}>
      {label}
    </span>
  ) : (
    <label htmlFor={id}>{label}</label>
  );
  return (
    <div className="field">
      {chooses && field.mappable && !readonly ? (
        <div className="panel-label">
          {name}
          <button type="button" className="panel-map" aria-pressed={mapped} title={mapped ? "Choose from a list again" : "Take it from an earlier module"} onClick={turn}>
            Map<span className="unseen"> {field.label}</span>
          </button>
        </div>
      ) : (
        name
      )}
      {body}
    </div>
  );
}

/** Whether it is a text into which values can be mapped. */
function isTemplate(field: Field): boolean {
  return (field.kind === "template" || field.kind === "json") && field.picker === null;
}

/** Whether one chooses what it holds, where nothing is mapped. */
function isChosen(field: Field): boolean {
  return field.kind === "yes-no" || field.kind === "choice" || (field.picker !== null && (field.kind === "text" || field.kind === "template" || field.kind === "json"));
}

function isMapped(value: unknown): value is string {
  return typeof value === "string" && value.includes("{{");
}

export type Inner = Props & {
  id: string;
  described: string | undefined;
  /** It is shown as a template. */
  mapped: boolean;
};

function Input(props: Inner) {
  const { field, value, onChange, readonly, id, described } = props;
  if (props.mapped && isChosen(field)) return <TemplateInput {...aboutTemplate(props)} text={asText(value)} onChange={onChange} />;
  if (field.picker !== null && (field.kind === "text" || field.kind === "template" || field.kind === "json")) return <Picker {...props} />;
  if (field.name === "feeder") return <SourceModule {...props} />;
  switch (field.kind) {
    case "template":
      return <TemplateInput {...aboutTemplate(props)} text={asText(value)} onChange={onChange} />;
    case "yes-no":
      return <YesNo {...props} />;
    case "choice":
      return <Choice {...props} />;
    case "rows":
      return <Rows {...props} />;
    case "list":
      return <List {...props} />;
    case "group": {
      const held = typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
      return field.inside.map((inner) => (
        <FieldInput key={inner.name} field={inner} value={held[inner.name]} readonly={readonly} onChange={(next) => onChange({ ...held, [inner.name]: next })} />
      ));
    }
    case "json":
      return <JsonInput {...props} />;
    case "number":
      return (
        <input
          id={id}
          type="number"
          aria-describedby={described}
          readOnly={readonly}
          value={typeof value === "number" ? value : asText(value)}
          placeholder={asText(field.fallback)}
          onChange={(event) => onChange(event.target.value === "" ? undefined : Number(event.target.value))}
        />
      );
    default:
      return (
        <input
          id={id}
          aria-describedby={described}
          readOnly={readonly}
          value={asText(value)}
          placeholder={asText(field.fallback)}
          onChange={(event) => onChange(event.target.value === "" ? undefined : event.target.value)}
        />
      );
  }
}

/** What a template field is told, beside its text. Ids of what stands around it do not reach it. */
function aboutTemplate({ field, problem, isJson = false, readonly, id }: Inner) {
  return { id, label: field.label, described: field.hint ?? undefined, problem, isJson, readonly, required: field.required };
}

function YesNo({ field, value, onChange, readonly, id, described }: Inner) {
  const now = value === undefined || value === null || value === "" ? field.fallback : value;
  const choose = (next: boolean) => () => onChange(next);
  return (
    <div className="panel-yes-no" role="radiogroup" aria-describedby={described} aria-label={field.label} id={id}>
      {[true, false].map((option) => (
        <label key={String(option)}>
          <input type="radio" name={id} checked={(now === true || now === "true") === option} disabled={readonly} onChange={choose(option)} />
          {option ? "Yes" : "No"}
        </label>
      ))}
    </div>
  );
}

function Choice({ field, value, onChange, readonly, id, described }: Inner) {
  const now = asText(value);
  const fallback = asText(field.fallback);
  const texts = field.choices.map(asText);
  const mapped = now !== "" && !texts.includes(now);
  return (
    <select id={id} aria-describedby={described} disabled={readonly} value={now} onChange={(event) => onChange(event.target.value === "" ? undefined : field.choices[texts.indexOf(event.target.value)] ?? event.target.value)}>
      <option value="">{fallback === "" ? "Choose …" : `${wordsOf(fallback)} (if nothing is chosen)`}</option>
      {texts.map((text) => (
        <option key={text} value={text}>
          {wordsOf(text)}
        </option>
      ))}
      {mapped && <option value={now}>{now}</option>}
    </select>
  );
}

const WORDS: Record<string, string> = {
  x_www_form_urlencoded: "application/x-www-form-urlencoded",
  multipart_form_data: "multipart/form-data",
  raw: "Raw",
};
const METHODS = new Set(["get", "head", "post", "put", "patch", "delete", "options"]);

/** What people call a choice. */
function wordsOf(text: string): string {
  if (METHODS.has(text)) return text.toUpperCase();
  return WORDS[text] ?? text;
}

function Rows({ field, value, onChange, readonly }: Inner) {
  const rows = Array.isArray(value) ? (value as Record<string, unknown>[]) : [];
  const set = (place: number, next: Record<string, unknown>) => onChange(rows.map((row, at) => (at === place ? next : row)));
  const swap = (one: number, other: number) => {
    const next = [...rows];
    [next[one], next[other]] = [next[other]!, next[one]!];
    onChange(next);
  };
  return (
    <div className="panel-rows">
      {rows.map((row, place) => (
        <div className="panel-row" key={place} role="group" aria-label={`${field.label}, item ${place + 1}`}>
          <div className="panel-row-fields">
            {field.inside.map((inner) => (
              <FieldInput key={inner.name} field={inner} value={row[inner.name]} readonly={readonly} onChange={(next) => set(place, { ...row, [inner.name]: next })} />
            ))}
          </div>
          {!readonly && (
            <div className="panel-row-acts">
              <button type="button" className="icon" aria-label={`Move item ${place + 1} up`} disabled={place === 0} onClick={() => swap(place, place - 1)}>
                <ArrowUp aria-hidden="true" size={15} />
              </button>
              <button type="button" className="icon" aria-label={`Move item ${place + 1} down`} disabled={place === rows.length - 1} onClick={() => swap(place, place + 1)}>
                <ArrowDown aria-hidden="true" size={15} />
              </button>
              <button type="button" className="icon" aria-label={`Remove item ${place + 1}`} onClick={() => onChange(rows.filter((_, at) => at !== place))}>
                <Trash2 aria-hidden="true" size={15} />
              </button>
            </div>
          )}
        </div>
      ))}
      {!readonly && (
        <button type="button" className="panel-add" onClick={() => onChange([...rows, {}])}>
          <Plus aria-hidden="true" size={15} /> Add item<span className="unseen"> to {field.label}</span>
        </button>
      )}
    </div>
  );
}

function List({ field, value, onChange, readonly, id }: Inner) {
  const items = Array.isArray(value) ? value : value === undefined || value === null || value === "" ? [] : [value];
  return (
    <div className="panel-rows">
      {items.map((item, place) => (
        <div className="panel-list-item" key={place}>
          <TemplateInput id={`${id}-${place}`} label={`${field.label}, item ${place + 1}`} text={asText(item)} readonly={readonly} onChange={(next) => onChange(items.map((old, at) => (at === place ? next : (old as unknown))))} />
          {!readonly && (
            <button type="button" className="icon" aria-label={`Remove item ${place + 1}`} onClick={() => onChange(items.filter((_, at) => at !== place))}>
              <Trash2 aria-hidden="true" size={15} />
            </button>
          )}
        </div>
      ))}
      {!readonly && (
        <button type="button" className="panel-add" onClick={() => onChange([...items, ""])}>
          <Plus aria-hidden="true" size={15} /> Add item<span className="unseen"> to {field.label}</span>
        </button>
      )}
    </div>
  );
}

/** A value of any form, written as JSON; a text that is none is kept as a text. */
function JsonInput(props: Inner) {
  const { value, onChange } = props;
  const [typed, setTyped] = useState<{ text: string; value: unknown } | null>(null);
  // What is being written stays as it is written, while the value is still that one.
  const text = typed !== null && typed.value === value ? typed.text : typeof value === "string" ? value : value === undefined ? "" : writeJson(value, 2);
  const change = (next: string) => {
    const read = readOrText(next);
    setTyped({ text: next, value: read });
    onChange(read);
  };
  return <TemplateInput {...aboutTemplate(props)} text={text} onChange={change} />;
}

function readOrText(text: string): unknown {
  if (text === "") return undefined;
  try {
    return readJson(text);
  } catch {
    return text;
  }
}

/** The module whose bundles are collected: one that comes before. */
function SourceModule({ value, onChange, readonly, id, described }: Inner) {
  const document = useEditor((editor) => editor.document);
  const kinds = useEditor((editor) => editor.kinds);
  const selection = useEditor((editor) => editor.selection);
  const earlier = selection?.kind === "module" ? before(document, selection.id) : [];
  return (
    <select id={id} aria-describedby={described} disabled={readonly} value={asText(value)} onChange={(event) => onChange(event.target.value === "" ? undefined : Number(event.target.value))}>
      <option value="">Choose …</option>
      {earlier.map((module) => (
        <option key={module.id} value={module.id}>
          {nameOf(module, kinds.get(module.module)?.label)} ({module.id})
        </option>
      ))}
    </select>
  );
}
