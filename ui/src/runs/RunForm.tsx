// The form of a flow's inputs, drawn from its schema. What the server says of
// a field is shown at the field.

import { useId, useState } from "react";

import { ApiError } from "../api/client";
import { Problem } from "../kit/Problem";
import { begun, controlOf, fieldsOf, filled, misfits, optionsOf, type FormSchema } from "./form";
import { writeJson } from "../api/exact";

interface Props {
  schema: FormSchema;
  /** What is known of its fields already. */
  known?: Record<string, unknown>;
  /** Starts the run; what it throws is shown here. */
  onStart: (input: Record<string, unknown>) => Promise<void>;
  onCancel?: () => void;
  startName?: string;
}

export function RunForm({ schema, known, onStart, onCancel, startName = "Run" }: Props) {
  const [texts, setTexts] = useState(() => begun(schema, known));
  const [wrong, setWrong] = useState<Record<string, string>>({});
  const [failure, setFailure] = useState<unknown>(null);
  const [busy, setBusy] = useState(false);
  const id = useId();
  const fields = fieldsOf(schema);

  const refused = (error: unknown) => {
    if (error instanceof ApiError && error.code === "run-input-misfit") {
      const said = misfits(error.message, fields.map(([name]) => name));
      setWrong(said.fields);
      setFailure(said.rest === "" ? null : new Error(said.rest));
      const first = fields.find(([name]) => said.fields[name] !== undefined);
      if (first !== undefined) document.getElementById(`${id}-${first[0]}`)?.focus();
    } else setFailure(error);
  };
  const start = async () => {
    const read = filled(schema, texts);
    setFailure(null);
    setWrong("wrong" in read ? read.wrong : {});
    if ("wrong" in read) {
      const first = fields.find(([name]) => read.wrong[name] !== undefined);
      if (first !== undefined) document.getElementById(`${id}-${first[0]}`)?.focus();
      return;
    }
    setBusy(true);
    try {
      await onStart(read.input);
    } catch (error) {
      refused(error);
    } finally {
      setBusy(false);
    }
  };
  return (
    <form
      className="runs-form"
      noValidate
      onSubmit={(event) => {
        event.preventDefault();
        void start();
      }}
    >
      {fields.map(([name, field]) => (
        <Field
          key={name}
          id={`${id}-${name}`}
          name={name}
          schema={field}
          required={schema.required?.includes(name) === true}
          text={texts[name] ?? ""}
          wrong={wrong[name]}
          onChange={(text) => setTexts((before) => ({ ...before, [name]: text }))}
        />
      ))}
      {fields.length === 0 && <p className="muted">This flow asks for nothing. It can be started as it is.</p>}
      {failure !== null && <Problem error={failure} />}
      <div className="actions">
        <button type="submit" className="primary" disabled={busy}>
          {busy ? "Starting …" : startName}
        </button>
        {onCancel !== undefined && (
          <button type="button" onClick={onCancel}>
            Cancel
          </button>
        )}
      </div>
    </form>
  );
}

interface FieldProps {
  id: string;
  name: string;
  schema: FormSchema;
  required: boolean;
  text: string;
  wrong: string | undefined;
  onChange: (text: string) => void;
}

function Field({ id, name, schema, required, text, wrong, onChange }: FieldProps) {
  const described = [schema.description !== undefined ? `${id}-hint` : "", wrong !== undefined ? `${id}-wrong` : ""].join(" ").trim();
  const shared = { id, "aria-invalid": wrong !== undefined, "aria-required": required, ...(described === "" ? {} : { "aria-describedby": described }) };
  return (
    <div className="field">
      <label htmlFor={id}>
        {schema.title ?? name}
        {!required && <span className="runs-optional"> optional</span>}
      </label>
      <Input shared={shared} schema={schema} text={text} onChange={onChange} />
      {schema.description !== undefined && (
        <p className="hint" id={`${id}-hint`}>
          {schema.description}
        </p>
      )}
      {wrong !== undefined && (
        <p className="runs-wrong" id={`${id}-wrong`} role="alert">
          {wrong}
        </p>
      )}
    </div>
  );
}

interface InputProps {
  shared: Record<string, unknown>;
  schema: FormSchema;
  text: string;
  onChange: (text: string) => void;
}

function Input({ shared, schema, text, onChange }: InputProps) {
  const control = controlOf(schema);
  const common = { ...shared, value: text, onChange: (event: { target: { value: string } }) => onChange(event.target.value) };
  switch (control) {
    case "yes-no":
      return (
        <select {...common}>
          <option value="">Not said</option>
          <option value="true">Yes</option>
          <option value="false">No</option>
        </select>
      );
    case "choice":
      return (
        <select {...common}>
          <option value="">Choose …</option>
          {optionsOf(schema).map(({ value, name }) => (
            <option key={name} value={writeJson(value)}>
              {name}
            </option>
          ))}
        </select>
      );
    case "json":
      return <textarea {...common} rows={5} className="runs-code" spellCheck={false} />;
    case "long":
      return <textarea {...common} rows={4} />;
    case "number":
      return <input {...common} inputMode="decimal" min={schema.minimum} max={schema.maximum} />;
    case "moment":
      return <input {...common} type="datetime-local" />;
    case "time":
      return <input {...common} type="time" step="1" />;
    default:
      return <input {...common} type={schema.format === "email" ? "email" : schema.format === "uri" ? "url" : "text"} />;
  }
}
