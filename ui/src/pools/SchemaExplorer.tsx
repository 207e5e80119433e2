import { useState } from "react";
import { ChevronDown, ChevronRight, Plus } from "lucide-react";

import type { Table } from "./api";

/** The tables of a pool; each unfolds to its columns. A name goes into the text where the cursor stands. */
export function SchemaExplorer({ tables, onInsert }: { tables: Table[]; onInsert: (name: string) => void }) {
  const [open, setOpen] = useState<Set<string>>(() => new Set(tables.slice(0, 1).map(({ name }) => name)));
  const [wanted, setWanted] = useState("");
  const turn = (name: string) =>
    setOpen((before) => {
      const after = new Set(before);
      if (!after.delete(name)) after.add(name);
      return after;
    });
  const word = wanted.toLowerCase();
  const shown = tables.filter(
    ({ name, columns }) => name.toLowerCase().includes(word) || columns.some((column) => column.name.toLowerCase().includes(word)),
  );
  return (
    <aside className="pools-schema" aria-label="Schema explorer">
      <h2>Tables</h2>
      <input type="search" aria-label="Search tables and columns" placeholder="Search" value={wanted} onChange={(event) => setWanted(event.target.value)} />
      {tables.length === 0 && <p className="muted">No table yet.</p>}
      <ul>
        {shown.map(({ name, columns, rows }) => (
          <li key={name}>
            <div className="pools-schema-line">
              <button type="button" className="pools-schema-fold" aria-expanded={open.has(name)} onClick={() => turn(name)}>
                {open.has(name) ? <ChevronDown aria-hidden="true" size={15} /> : <ChevronRight aria-hidden="true" size={15} />}
                <span className="pools-schema-name">{name}</span>
                <span className="pools-type">{rows?.toLocaleString() ?? ""}</span>
              </button>
              <button type="button" className="icon" aria-label={`Insert ${name}`} title="Insert the name" onClick={() => onInsert(name)}>
                <Plus aria-hidden="true" size={15} />
              </button>
            </div>
            {open.has(name) && (
              <ul>
                {columns.map((column) => (
                  <li key={column.name}>
                    <button type="button" className="pools-schema-column" title="Insert the name" onClick={() => onInsert(column.name)}>
                      <span className="pools-schema-name">{column.name}</span>
                      <span className="pools-type">{column.type}</span>
                    </button>
                  </li>
                ))}
              </ul>
            )}
          </li>
        ))}
      </ul>
    </aside>
  );
}
