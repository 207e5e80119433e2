import { useState, type FormEvent } from "react";
import { useLocation } from "wouter";
import { useQuery } from "@tanstack/react-query";

import { Chip } from "../kit/Chip";
import { Dialog } from "../kit/Dialog";
import { Problem } from "../kit/Problem";
import { useAct } from "../kit/useAct";
import { imports, type Import, type ImportColumn } from "./api";
import { cellText, sizeInWords } from "./words";

const TYPES = ["text", "integer", "float", "boolean", "date", "time"];

/** Takes a file, shows what was guessed of it, and brings its rows in. Nothing is written before that is asked. */
export function ImportDialog({ pool, onClose }: { pool: string; onClose: () => void }) {
  const [staged, setStaged] = useState<Import | null>(null);
  const { act, busy } = useAct("tables", "push-jobs", "pools");
  const give = async (file: File, table: string) => setStaged(await act(() => imports.stage(pool, file, table)));
  const close = () => {
    // What was only looked at is forgotten at once, not kept for a day.
    if (staged?.state === "staged") void imports.forget(pool, staged.id).catch(() => undefined);
    onClose();
  };
  if (staged === null) return <Choose busy={busy} onGive={(file, table) => void give(file, table)} onClose={onClose} />;
  if (staged.state === "staged") {
    return (
      <Preview
        staged={staged}
        busy={busy}
        onChange={(options) => void act(() => imports.change(pool, staged.id, options)).then((next) => next !== null && setStaged(next))}
        onCommit={() => void act(() => imports.commit(pool, staged.id)).then((next) => next !== null && setStaged(next))}
        onClose={close}
      />
    );
  }
  return <Loading pool={pool} id={staged.id} table={staged.tables[0]?.table ?? ""} onClose={onClose} />;
}

function Choose({ busy, onGive, onClose }: { busy: boolean; onGive: (file: File, table: string) => void; onClose: () => void }) {
  const [file, setFile] = useState<File | null>(null);
  const [table, setTable] = useState("");
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (file !== null) onGive(file, table.trim());
  };
  return (
    <Dialog
      title="Import a file"
      onClose={onClose}
      actions={
        <button type="submit" form="choose-file" className="primary" disabled={busy || file === null}>
          {busy ? "Reading …" : "Look at it"}
        </button>
      }
    >
      <form id="choose-file" onSubmit={submit}>
        <div className="field">
          <label htmlFor="import-file">File</label>
          <input id="import-file" type="file" onChange={(event) => setFile(event.target.files?.[0] ?? null)} />
          <p className="hint">CSV, Parquet, XES or OCEL 2.0, packed or not. The server says which it can read.</p>
        </div>
        <div className="field">
          <label htmlFor="import-table">Table</label>
          <input id="import-table" value={table} placeholder="Named after the file" onChange={(event) => setTable(event.target.value)} />
        </div>
      </form>
      <p className="muted">Nothing is written yet: first you see what was guessed.</p>
    </Dialog>
  );
}

interface PreviewProps {
  staged: Import;
  busy: boolean;
  onChange: (options: Record<string, unknown>) => void;
  onCommit: () => void;
  onClose: () => void;
}

function Preview({ staged, busy, onChange, onCommit, onClose }: PreviewProps) {
  const [separator, setSeparator] = useState(staged.dialect?.separator ?? "");
  const changeColumn = (column: ImportColumn, type: string) => {
    const before = (staged.options["columns"] as { name: string }[] | undefined) ?? [];
    onChange({ ...staged.options, columns: [...before.filter(({ name }) => name !== column.name), { name: column.name, type }] });
  };
  return (
    <Dialog
      title={`Import ${staged.files.join(", ")}`}
      wide
      onClose={onClose}
      actions={
        <>
          <button type="button" onClick={onClose}>
            Cancel
          </button>
          <button type="button" className="primary" disabled={busy} onClick={onCommit}>
            Bring the rows in
          </button>
        </>
      }
    >
      <p className="muted">
        {staged.format.toUpperCase()}, {sizeInWords(staged.bytes)}
        {staged.dialect !== null && `, ${staged.dialect.charset}`}. Nothing is written yet.
      </p>
      {staged.dialect !== null && (
        <form
          className="pools-separator"
          onSubmit={(event) => {
            event.preventDefault();
            onChange({ ...staged.options, separator });
          }}
        >
          <label htmlFor="import-separator">Cells are separated by</label>
          <input id="import-separator" size={3} value={separator} onChange={(event) => setSeparator(event.target.value)} />
          <button type="submit" disabled={busy || separator === ""}>
            Read again
          </button>
        </form>
      )}
      {staged.warnings.map((warning) => (
        <p key={warning} className="pools-warning">
          {warning}
        </p>
      ))}
      {staged.tables.map((table) => (
        <section key={table.table} aria-label={table.table}>
          <h3 className="pools-head">
            {table.table}: {table.exact || table.rows === null ? "" : "about "}
            {table.rows === null ? "" : `${table.rows.toLocaleString()} `}rows
          </h3>
          <div className="table-frame" tabIndex={0} role="region" aria-label={`Preview of ${table.table}`}>
            <table className="list pools-rows">
              <thead>
                <tr>
                  {table.columns.map((column) => (
                    <th key={column.name}>
                      {column.target} {column.role !== null && <Chip tone="busy" title={column.role.reason}>{column.role.role}</Chip>}
                      <select
                        className="pools-type-choice"
                        aria-label={`Type of ${column.name}`}
                        title={column.reason}
                        value={column.type}
                        disabled={busy}
                        onChange={(event) => changeColumn(column, event.target.value)}
                      >
                        {[...new Set([column.type, ...TYPES])].map((type) => (
                          <option key={type}>{type}</option>
                        ))}
                      </select>
                    </th>
                  ))}
                </tr>
              </thead>
              <tbody>
                {table.first.map((row, place) => (
                  <tr key={place}>
                    {row.map((cell, index) => (
                      <td key={index}>{cellText(cell)}</td>
                    ))}
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        </section>
      ))}
    </Dialog>
  );
}

function Loading({ pool, id, table, onClose }: { pool: string; id: string; table: string; onClose: () => void }) {
  const state = useQuery({
    queryKey: ["pools", pool, "imports", id],
    queryFn: () => imports.show(pool, id),
    refetchInterval: (query) => (query.state.data?.state === "done" || query.state.data?.state === "failed" ? false : 400),
  });
  const [, goTo] = useLocation();
  const done = state.data?.state === "done";
  return (
    <Dialog
      title="Import"
      onClose={onClose}
      actions={
        <>
          <button type="button" onClick={onClose}>
            Close
          </button>
          <button
            type="button"
            className="primary"
            disabled={!done}
            onClick={() => goTo(`/pools/${encodeURIComponent(pool)}/tables/${encodeURIComponent(table)}`)}
          >
            Open the table
          </button>
        </>
      }
    >
      {state.error !== null && <Problem error={state.error} />}
      {state.data?.state === "failed" ? (
        <Problem error={new Error(state.data.jobs.flatMap((job) => job.logs).at(-1) ?? "The rows could not be read; see the push job's log.")} />
      ) : (
        <p role="status">
          {done ? "Done: " : "Loading: "}
          {(state.data?.rowsRead ?? 0).toLocaleString()} rows {done ? "came in." : "so far."}
        </p>
      )}
    </Dialog>
  );
}
