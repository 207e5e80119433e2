import { useMemo, useRef, useState } from "react";
import { useQuery } from "@tanstack/react-query";
import { Download, History, Play, Square } from "lucide-react";

import { useAddressValue } from "../kit/address";
import { later } from "../kit/Later";
import { Menu } from "../kit/Menu";
import { Problem } from "../kit/Problem";
import { warn } from "../kit/toasts";
import { duration } from "../kit/When";
import { ask, askForCsv, pools, type SqlAnswer } from "./api";
import { keepText, readHistory, readText, remember } from "./history";
import { SchemaExplorer } from "./SchemaExplorer";
import type { SqlEditorHandle } from "./SqlEditor";
import { SqlResults } from "./SqlResults";
import { placeOfError, quoted } from "./statements";

const SqlEditor = later(() => import("./SqlEditor"));
const ROWS_MAX = 10_000;
/** A longer text does not go into the address. */
const ADDRESS_MAX = 1500;

type Standing =
  | { is: "idle" }
  | { is: "asking"; stop: AbortController }
  | { is: "answered"; answer: SqlAnswer; text: string; ms: number }
  | { is: "refused"; error: unknown }
  | { is: "stopped" };

/** Asks the pool in SQL: text on the left, tables on the right, rows below. */
export function SqlTab({ pool }: { pool: string }) {
  const tables = useQuery({ queryKey: ["tables", pool], queryFn: () => pools.tables(pool) });
  const [inAddress, setInAddress] = useAddressValue("sql");
  const editor = useRef<SqlEditorHandle>(null);
  const [standing, setStanding] = useState<Standing>({ is: "idle" });
  const [history, setHistory] = useState(() => readHistory(pool));
  const schema = useMemo(
    () => Object.fromEntries((tables.data ?? []).map(({ name, columns }) => [name, columns.map((column) => column.name)])),
    [tables.data],
  );
  const first = tables.data?.[0];
  const initial = inAddress ?? readText(pool) ?? (first === undefined ? "" : `SELECT * FROM ${quoted(first.name)}`);

  const execute = async () => {
    const wanted = editor.current?.meant() ?? null;
    if (wanted === null || standing.is === "asking") return;
    const stop = new AbortController();
    setStanding({ is: "asking", stop });
    editor.current?.mark(null);
    setInAddress(wanted.text.length > ADDRESS_MAX ? null : wanted.text);
    const begun = performance.now();
    try {
      const answer = await ask(pool, wanted.text, ROWS_MAX, stop.signal);
      const ms = Math.round(performance.now() - begun);
      setStanding({ is: "answered", answer, text: wanted.text, ms });
      setHistory(remember(pool, { text: wanted.text, at: new Date().toISOString(), rows: answer.rows.length, ms }));
    } catch (error) {
      if (stop.signal.aborted) {
        setStanding({ is: "stopped" });
        return;
      }
      setStanding({ is: "refused", error });
      const message = error instanceof Error ? error.message : String(error);
      const place = placeOfError(message, wanted.text);
      const span = place ?? { from: 0, to: wanted.text.length };
      editor.current?.mark({ span: { from: wanted.span.from + span.from, to: wanted.span.from + span.to }, message });
    }
  };

  const past = history.map(({ text }) => ({
    name: <span className="pools-past">{text.replace(/\s+/g, " ").slice(0, 80)}</span>,
    onSelect: () => editor.current?.replace(text),
  }));
  if (tables.data === undefined && tables.error === null) return <p className="muted">Reading the tables …</p>;
  return (
    <div className="pools-sql">
      <div className="pools-sql-main">
        <div className="pools-sql-bar">
          <button type="button" className="primary pools-with-icon" disabled={standing.is === "asking"} onClick={() => void execute()}>
            <Play aria-hidden="true" size={15} /> Execute
          </button>
          {standing.is === "asking" && (
            <button type="button" className="pools-with-icon" onClick={() => standing.stop.abort()}>
              <Square aria-hidden="true" size={14} /> Cancel
            </button>
          )}
          <span className="muted pools-sql-hint">Runs what is marked, or the statement under the cursor. Ctrl+Enter</span>
          {past.length > 0 && (
            <Menu
              label="History of statements"
              items={past}
              trigger={
                <>
                  <History aria-hidden="true" size={15} /> History
                </>
              }
            />
          )}
        </div>
        <div className="pools-sql-editor">
          <SqlEditor
            ref={editor}
            initial={initial}
            schema={schema}
            onChange={(text) => keepText(pool, text)}
            onExecute={() => void execute()}
            waiting={<p className="muted">Loading the editor …</p>}
          />
        </div>
        <Answer pool={pool} standing={standing} />
      </div>
      <SchemaExplorer tables={tables.data ?? []} onInsert={(name) => editor.current?.insert(quoted(name))} />
    </div>
  );
}

function Answer({ pool, standing }: { pool: string; standing: Standing }) {
  switch (standing.is) {
    case "idle":
      return <p className="muted pools-sql-none">Rows appear here.</p>;
    case "asking":
      return (
        <p className="muted pools-sql-none" role="status">
          Asking …
        </p>
      );
    case "stopped":
      return (
        <p className="muted pools-sql-none" role="status">
          Stopped. Nothing was changed.
        </p>
      );
    case "refused":
      return <Problem error={standing.error} />;
    case "answered": {
      const { answer, text, ms } = standing;
      return (
        <>
          <div className="pools-sql-foot">
            <p className="muted" role="status">
              {answer.truncated ? `The first ${answer.rows.length.toLocaleString()} rows` : rowsInWords(answer.rows.length)} in{" "}
              {duration(ms)}
            </p>
            <button type="button" className="pools-with-icon pools-small" onClick={() => void download(pool, text)}>
              <Download aria-hidden="true" size={15} /> Download CSV
            </button>
          </div>
          <SqlResults columns={answer.columns} rows={answer.rows} />
        </>
      );
    }
  }
}

const rowsInWords = (count: number) => `${count.toLocaleString()} row${count === 1 ? "" : "s"}`;

async function download(pool: string, text: string): Promise<void> {
  try {
    const address = URL.createObjectURL(await askForCsv(pool, text));
    const link = document.createElement("a");
    link.href = address;
    link.download = `${pool}.csv`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(address), 10_000);
  } catch (error) {
    warn(error);
  }
}
