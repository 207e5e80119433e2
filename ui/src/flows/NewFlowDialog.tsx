// A new flow: from scratch, or from a template whose form is filled in.

import { useState } from "react";
import { useLocation } from "wouter";
import { useQuery, useQueryClient } from "@tanstack/react-query";

import { Dialog } from "../kit/Dialog";
import { Problem } from "../kit/Problem";
import { fromTemplate, listPackages, listTemplates, putIntoPackage, storeDocument, FlowChanged, type TemplateShown } from "./api";
import type { JsonSchema } from "./editor/types";
import { filled, keyOf } from "./newFlow";

export function NewFlowDialog({ onClose }: { onClose: () => void }) {
  const [, goTo] = useLocation();
  const queries = useQueryClient();
  const templates = useQuery({ queryKey: ["flow-templates"], queryFn: listTemplates });
  const packages = useQuery({ queryKey: ["packages"], queryFn: listPackages });
  const [chosen, setChosen] = useState<TemplateShown | null>(null);
  const [name, setName] = useState("");
  const [key, setKey] = useState<string | null>(null);
  const [place, setPlace] = useState("");
  const [values, setValues] = useState<Record<string, unknown>>({});
  const [error, setError] = useState<unknown>(null);
  const [busy, setBusy] = useState(false);
  const wanted = key ?? keyOf(name === "" && chosen !== null ? chosen.title : name);

  const make = async () => {
    setBusy(true);
    setError(null);
    try {
      if (chosen === null) await storeDocument(wanted, { name: name.trim(), flow: [] }, null);
      else await fromTemplate(chosen.key, wanted, filled(chosen.form, values));
      if (place !== "") await putIntoPackage(place, wanted);
      await queries.invalidateQueries({ queryKey: ["flows"] });
      onClose();
      goTo(`/flows/${encodeURIComponent(wanted)}`);
    } catch (failure) {
      setError(failure instanceof FlowChanged ? new Error(`There is a flow with the key ${wanted} already: choose another one.`) : failure);
    }
    setBusy(false);
  };

  return (
    <Dialog
      title="New flow"
      onClose={onClose}
      actions={
        <>
          <button type="button" onClick={onClose}>
            Cancel
          </button>
          <button type="submit" form="new-flow" className="primary" disabled={busy || wanted === ""}>
            {busy ? "Creating" : "Create"}
          </button>
        </>
      }
    >
      <form
        id="new-flow"
        onSubmit={(event) => {
          event.preventDefault();
          void make();
        }}
      >
        <fieldset className="new-kinds">
          <legend>Begin</legend>
          <label>
            <input type="radio" name="kind" checked={chosen === null} onChange={() => setChosen(null)} />
            <span>
              <strong>From scratch</strong>
              <small>An empty canvas that asks what starts it</small>
            </span>
          </label>
          {(templates.data ?? []).map((template) => (
            <label key={template.key}>
              <input type="radio" name="kind" checked={chosen === template} onChange={() => (setChosen(template), setValues({}))} />
              <span>
                <strong>{template.title}</strong>
                <small>{template.description}</small>
              </span>
            </label>
          ))}
        </fieldset>
        {chosen === null && (
          <div className="field">
            <label htmlFor="new-name">Name</label>
            <input id="new-name" autoFocus required value={name} onChange={(event) => setName(event.target.value)} placeholder="Score a late order" />
          </div>
        )}
        <div className="field">
          <label htmlFor="new-key">Key, as in its address</label>
          <input id="new-key" required value={wanted} onChange={(event) => setKey(event.target.value)} />
        </div>
        {chosen !== null &&
          Object.entries(chosen.form.properties ?? {}).map(([field, schema]) => (
            <TemplateField
              key={field}
              name={field}
              schema={schema}
              required={chosen.form.required?.includes(field) === true}
              value={values[field]}
              onChange={(value) => setValues({ ...values, [field]: value })}
            />
          ))}
        {(packages.data ?? []).length > 0 && (
          <div className="field">
            <label htmlFor="new-package">Package</label>
            <select id="new-package" value={place} onChange={(event) => setPlace(event.target.value)}>
              <option value="">None</option>
              {packages.data!.map((each) => (
                <option key={each.key} value={each.key}>
                  {each.name}
                </option>
              ))}
            </select>
          </div>
        )}
        {error !== null && <Problem error={error} />}
      </form>
    </Dialog>
  );
}

interface FieldProps {
  name: string;
  schema: JsonSchema;
  required: boolean;
  value: unknown;
  onChange: (value: unknown) => void;
}

function TemplateField({ name, schema, required, value, onChange }: FieldProps) {
  const id = `template-${name}`;
  const list = schema.type === "array";
  const number = schema.type === "integer" || schema.type === "number";
  const shown = value === undefined ? (schema.default === undefined ? "" : String(schema.default)) : String(value);
  return (
    <div className="field">
      <label htmlFor={id}>{schema.title ?? name}</label>
      <input
        id={id}
        type={number ? "number" : "text"}
        min={schema.minimum}
        max={schema.maximum}
        required={required}
        value={shown}
        placeholder={list ? "OrderId, DeliveryDate" : undefined}
        aria-describedby={`${id}-hint`}
        onChange={(event) => onChange(event.target.value)}
      />
      <p className="hint" id={`${id}-hint`}>
        {schema.description ?? (list ? "Separated by commas" : "")}
      </p>
    </div>
  );
}
