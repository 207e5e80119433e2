import { useState } from "react";
import { ChevronDown, ChevronRight } from "lucide-react";

import { Problem } from "../../../kit/Problem";
import { useLanguage, type MappingFunction } from "./api";
import { Insertable } from "./Insertable";
import { foundFunctions, groupWords } from "./language";
import { inALine } from "./outputs";

/** The functions of the mapping language, by group. */
export function FunctionsTab() {
  const { data, error, refetch } = useLanguage();
  const [words, setWords] = useState("");
  if (error !== null && data === undefined) return <Problem error={error} onRetry={() => void refetch()} />;
  if (data === undefined) return <p className="muted">Loading …</p>;
  const groups = foundFunctions(data.functions, words);
  return (
    <>
      <input type="search" aria-label="Search functions" placeholder="Search functions" value={words} onChange={(event) => setWords(event.target.value)} />
      {groups.length === 0 && <p className="muted mapping-none">No function has “{words}” in its name or in what it does.</p>}
      {groups.map(([group, functions]) => (
        <div className="mapping-source" key={group}>
          <h4>{groupWords(group)}</h4>
          <ul className="mapping-items">
            {functions.map((one) => (
              <OneFunction key={one.name} one={one} />
            ))}
          </ul>
        </div>
      ))}
    </>
  );
}

function OneFunction({ one }: { one: MappingFunction }) {
  const [open, setOpen] = useState(false);
  const { name, signature, summary, examples } = one;
  return (
    <li>
      <span className="mapping-row">
        <button type="button" className="icon" aria-expanded={open} aria-label={`${open ? "Fold" : "Unfold"} ${name}`} onClick={() => setOpen(!open)}>
          {open ? <ChevronDown aria-hidden="true" size={14} /> : <ChevronRight aria-hidden="true" size={14} />}
        </button>
        <Insertable part={{ kind: "function", name, bare: /\(\s*\)$/.test(signature) }} title={summary}>
          {name}
        </Insertable>
        <span className="mapping-value">{open ? "" : summary}</span>
      </span>
      {open && (
        <div className="mapping-about">
          <code>{signature}</code>
          <p>{summary}</p>
          {examples.length > 0 && (
            <dl>
              {examples.slice(0, 4).map(({ template, result }, place) => (
                <div key={place}>
                  <dt>
                    <code>{template}</code>
                  </dt>
                  <dd>{inALine(result, 120)}</dd>
                </div>
              ))}
            </dl>
          )}
        </div>
      )}
    </li>
  );
}

/** Keywords, which stand for a value, and what stands between values. */
export function NamesTab() {
  const { data, error, refetch } = useLanguage();
  if (error !== null && data === undefined) return <Problem error={error} onRetry={() => void refetch()} />;
  if (data === undefined) return <p className="muted">Loading …</p>;
  return (
    <>
      <div className="mapping-source">
        <h4>Keywords</h4>
        <ul className="mapping-items">
          {data.keywords.map(({ name, summary }) => (
            <Word key={name} text={name} summary={summary} />
          ))}
        </ul>
      </div>
      <div className="mapping-source">
        <h4>Operators, the weakest first</h4>
        <ul className="mapping-items">
          {data.operators.map(({ name, also, summary }) => (
            <Word key={name} text={name} summary={also.length > 0 ? `${summary} (also ${also.join(" ")})` : summary} />
          ))}
        </ul>
      </div>
    </>
  );
}

function Word({ text, summary }: { text: string; summary: string }) {
  return (
    <li>
      <span className="mapping-row">
        <Insertable part={{ kind: "word", text }} title={summary}>
          {text}
        </Insertable>
        <span className="mapping-value">{summary}</span>
      </span>
    </li>
  );
}
