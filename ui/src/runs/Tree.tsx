// A value as a tree: collapsible, with a copy button, and big values cut.

import { useState } from "react";
import { ChevronDown, ChevronRight, Copy } from "lucide-react";

import { say, warn } from "../kit/toasts";
import { writeJson } from "../api/exact";

const TEXT_MAX = 300;
const ITEMS_MAX = 50;

export async function copyValue(value: unknown): Promise<void> {
  try {
    await navigator.clipboard.writeText(typeof value === "string" ? value : writeJson(value, 2));
    say("Copied.");
  } catch {
    warn("The browser did not let this page copy. Select the text and copy it by hand.");
  }
}

/** Shows a value under a title. */
export function ValueTree({ title, value }: { title: string; value: unknown }) {
  return (
    <div className="runs-tree" role="group" aria-label={title}>
      <div className="runs-tree-head">
        <strong aria-hidden="true">{title}</strong>
        {value !== null && value !== undefined && (
          <button type="button" className="icon" aria-label={`Copy ${title.toLowerCase()}`} onClick={() => void copyValue(value)}>
            <Copy aria-hidden="true" size={14} />
          </button>
        )}
      </div>
      {value === null || value === undefined ? <p className="muted">Nothing</p> : <Node name={null} value={value} depth={0} />}
    </div>
  );
}

function Node({ name, value, depth }: { name: string | null; value: unknown; depth: number }) {
  const [open, setOpen] = useState(depth < 3);
  const [all, setAll] = useState(false);
  if (typeof value !== "object" || value === null) return <Leaf name={name} value={value} />;
  const entries = Array.isArray(value) ? value.map((item, place) => [String(place + 1), item] as const) : Object.entries(value);
  const brackets = Array.isArray(value) ? `[${entries.length}]` : `{${entries.length}}`;
  const shown = all ? entries : entries.slice(0, ITEMS_MAX);
  const children = entries.length > 0 && (open || name === null) && (
    <ul className={name === null ? "root" : undefined}>
      {shown.map(([key, item]) => (
        <li key={key}>
          <Node name={key} value={item} depth={depth + 1} />
        </li>
      ))}
      {shown.length < entries.length && (
        <li>
          <button type="button" className="runs-link" onClick={() => setAll(true)}>
            Show all {entries.length}
          </button>
        </li>
      )}
    </ul>
  );
  if (name === null) return entries.length === 0 ? <p className="muted">Empty</p> : children;
  return (
    <>
      <button type="button" className="runs-branch" aria-expanded={open} onClick={() => setOpen(!open)} disabled={entries.length === 0}>
        {open ? <ChevronDown aria-hidden="true" size={14} /> : <ChevronRight aria-hidden="true" size={14} />}
        <span className="runs-key">{name}</span> <span className="runs-brackets">{brackets}</span>
      </button>
      {children}
    </>
  );
}

function Leaf({ name, value }: { name: string | null; value: unknown }) {
  const [all, setAll] = useState(false);
  const text = typeof value === "string" ? value : String(value);
  const cut = text.length > TEXT_MAX && !all;
  return (
    <div className="runs-leaf">
      {name !== null && <span className="runs-key">{name}</span>}
      <span className={`runs-value ${value === null ? "null" : typeof value}`}>{cut ? `${text.slice(0, TEXT_MAX)} …` : text === "" ? "(empty)" : text}</span>
      {cut && (
        <button type="button" className="runs-link" onClick={() => setAll(true)}>
          Show all {text.length.toLocaleString()} characters
        </button>
      )}
    </div>
  );
}
