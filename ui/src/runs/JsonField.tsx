// A value as JSON that can be changed; says where it cannot be read.

import { useId } from "react";
import { readJson } from "../api/exact";

/** Reads JSON, or says in words what is wrong with it. */
export function jsonOf(text: string): { value: unknown } | { wrong: string } {
  try {
    return { value: readJson(text) };
  } catch (error) {
    return { wrong: `This cannot be read as JSON: ${error instanceof Error ? error.message : String(error)}` };
  }
}

interface Props {
  label: string;
  text: string;
  rows?: number;
  hint?: string;
  onChange: (text: string) => void;
}

export function JsonField({ label, text, rows = 10, hint, onChange }: Props) {
  const id = useId();
  const read = jsonOf(text);
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      {hint !== undefined && <p className="hint">{hint}</p>}
      <textarea
        id={id}
        className="runs-code"
        rows={rows}
        spellCheck={false}
        value={text}
        aria-invalid={"wrong" in read}
        aria-describedby={`${id}-wrong`}
        onChange={(event) => onChange(event.target.value)}
      />
      <p className="runs-wrong" id={`${id}-wrong`} aria-live="polite">
        {"wrong" in read ? read.wrong : ""}
      </p>
    </div>
  );
}
