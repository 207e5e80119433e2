// The generator of data structures: fields by hand, or learnt from a sample.

import { useEffect, useState } from "react";
import { useQuery } from "@tanstack/react-query";
import { Plus, Trash2 } from "lucide-react";

import { Dialog } from "../kit/Dialog";
import { Problem } from "../kit/Problem";
import { useAct } from "../kit/useAct";
import { nameOf } from "../hooks/api";
import { structures, TYPES, type Field } from "./api";
import { added, inside, removed, replaced, retyped, wrong, type Place } from "./fields";
import "./structures.css";

interface Props {
  /** The one that is changed; a new one without it. */
  structure?: string | undefined;
  onClose: () => void;
  onStored?: (name: string) => void;
}

export function StructureDialog({ structure, onClose, onStored }: Props) {
  const found = useQuery({ queryKey: ["structures", structure], queryFn: () => structures.show(structure!), enabled: structure !== undefined, staleTime: 0 });
  const [label, setLabel] = useState(structure ?? "");
  const [fields, setFields] = useState<Field[]>([]);
  const [strict, setStrict] = useState(false);
  const [sample, setSample] = useState<string | null>(null);
  const { act, busy } = useAct("structures", "flow");
  useEffect(() => {
    if (found.data === undefined) return;
    setFields(found.data.spec);
    setStrict(found.data.strict === true);
  }, [found.data]);
  const name = structure ?? nameOf(label);
  const problem = fields.length === 0 ? "It has no field yet." : wrong(fields);
  const kept = found.data?.importedIds === undefined ? {} : { importedIds: found.data.importedIds };

  const learn = async () => {
    const learnt = await act(() => structures.put(name, { sample: sample!, strict, ...kept }));
    if (learnt === null) return;
    setFields(learnt.spec);
    setSample(null);
  };
  const store = async () => {
    const stored = await act(() => structures.put(name, { spec: fields, strict, ...kept }), `"${name}" is stored`);
    if (stored === null) return;
    onStored?.(name);
    onClose();
  };
  return (
    <Dialog
      wide
      title={structure === undefined ? "Add a data structure" : `Data structure "${structure}"`}
      onClose={onClose}
      actions={
        sample === null ? (
          <button type="button" className="primary" disabled={busy || name === "" || problem !== null} onClick={() => void store()}>
            Save
          </button>
        ) : (
          <>
            <button type="button" onClick={() => setSample(null)}>
              Back
            </button>
            <button type="button" className="primary" disabled={busy || name === "" || sample.trim() === ""} onClick={() => void learn()}>
              Generate
            </button>
          </>
        )
      }
    >
      {found.error !== null && <Problem error={found.error} onRetry={() => void found.refetch()} />}
      {structure === undefined && (
        <div className="field">
          <label htmlFor="structure-name">Data structure name</label>
          <input id="structure-name" value={label} autoFocus onChange={(event) => setLabel(event.target.value)} placeholder="Delivery dates" />
          {name !== "" && name !== label && <p className="hint">Flows call it “{name}”.</p>}
        </div>
      )}
      {sample !== null ? (
        <div className="field">
          <label htmlFor="structure-sample">Sample data</label>
          <textarea id="structure-sample" rows={12} spellCheck={false} className="structures-sample" value={sample} placeholder={'{ "Order ID": "17", "Requested Delivery Date": "2026-05-11" }'} onChange={(event) => setSample(event.target.value)} />
          <p className="hint">JSON, CSV with a row of headers, or XML. Its fields and types become the structure.</p>
        </div>
      ) : (
        <>
          <div className="structures-bar">
            <h3>Specification</h3>
            <button type="button" onClick={() => setSample("")} disabled={name === ""} title={name === "" ? "Give it a name first" : undefined}>
              Generator
            </button>
          </div>
          <Fields fields={fields} owner={[]} all={fields} onChange={setFields} />
          <button type="button" className="with-icon" onClick={() => setFields(added(fields, []))}>
            <Plus aria-hidden="true" size={15} /> Add item
          </button>
          <label className="structures-check">
            <input type="checkbox" checked={strict} onChange={(event) => setStrict(event.target.checked)} /> Strict: items that are no fields are refused
          </label>
          {problem !== null && fields.length > 0 && (
            <p className="problem" role="status">
              {problem}
            </p>
          )}
        </>
      )}
    </Dialog>
  );
}

interface FieldsProps {
  fields: Field[];
  /** Whose fields they are. */
  owner: Place;
  all: Field[];
  onChange: (all: Field[]) => void;
}

function Fields({ fields, owner, all, onChange }: FieldsProps) {
  if (fields.length === 0) return <p className="muted">No fields yet. Add them one by one, or let the generator read a sample.</p>;
  return (
    <ul className="structures-fields">
      {fields.map((field, at) => {
        const place = [...owner, at];
        const inner = inside(field);
        const put = (next: Field) => onChange(replaced(all, place, next));
        const called = field.name === "" ? `field ${at + 1}` : field.name;
        return (
          <li key={at}>
            <div className="structures-field">
              <input aria-label={`Name of ${called}`} value={field.name} placeholder="Name" onChange={(event) => put({ ...field, name: event.target.value })} />
              <input aria-label={`Label of ${called}`} value={field.label ?? ""} placeholder="Label" onChange={(event) => put(withLabel(field, event.target.value))} />
              <select aria-label={`Type of ${called}`} value={field.type} onChange={(event) => put(retyped(field, event.target.value))}>
                {TYPES.map((type) => (
                  <option key={type} value={type}>
                    {type}
                  </option>
                ))}
              </select>
              <label className="structures-required">
                <input type="checkbox" checked={field.required === true} onChange={(event) => put({ ...field, required: event.target.checked })} /> Required
              </label>
              <button type="button" className="icon" aria-label={`Remove ${called}`} onClick={() => onChange(removed(all, place))}>
                <Trash2 aria-hidden="true" size={15} />
              </button>
            </div>
            {inner !== null && (
              <div className="structures-inside">
                {inner.length > 0 && <Fields fields={inner} owner={place} all={all} onChange={onChange} />}
                <button type="button" className="with-icon" onClick={() => onChange(added(all, place))}>
                  <Plus aria-hidden="true" size={15} /> Add item in {called}
                </button>
              </div>
            )}
          </li>
        );
      })}
    </ul>
  );
}

function withLabel(field: Field, label: string): Field {
  const { label: _, ...rest } = field;
  return label === "" ? rest as Field : { ...rest, label } as Field;
}
