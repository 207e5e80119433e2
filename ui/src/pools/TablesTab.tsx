import { Link } from "wouter";
import { useQuery } from "@tanstack/react-query";

import { Chip } from "../kit/Chip";
import { Empty } from "../kit/Empty";
import { Read } from "../kit/Read";
import { When } from "../kit/When";
import { pools } from "./api";
import { sizeInWords } from "./words";

/** The tables and views of a pool. */
export function TablesTab({ pool, onImport }: { pool: string; onImport: () => void }) {
  const tables = useQuery({ queryKey: ["tables", pool], queryFn: () => pools.tables(pool) });
  return (
    <Read query={tables}>
      {(all) =>
        all.length === 0 ? (
          <Empty title="No rows have come in yet">
            <p>
              <button type="button" className="primary" onClick={onImport}>
                Import a file
              </button>
            </p>
            <p>
              Or push one from a terminal: <code>loopwright push {pool} TABLE FILE.csv</code>. A program or a flow pushes with an{" "}
              <Link href="/app-keys">app key</Link> that has the tick at Data Push API under{" "}
              <Link href={`/pools/${encodeURIComponent(pool)}?tab=permissions`}>Permissions</Link>.
            </p>
          </Empty>
        ) : (
          <div className="table-frame">
            <table className="list">
              <thead>
                <tr>
                  <th>Name</th>
                  <th>Kind</th>
                  <th className="amount">Rows</th>
                  <th className="amount">Columns</th>
                  <th>Keys</th>
                  <th className="amount">Size at rest</th>
                  <th className="amount">Last commit</th>
                  <th>Changed</th>
                </tr>
              </thead>
              <tbody>
                {all.map((table) => (
                  <tr key={table.name}>
                    <td>
                      <Link href={`/pools/${encodeURIComponent(pool)}/tables/${encodeURIComponent(table.name)}`}>{table.name}</Link>
                    </td>
                    <td>{table.kind === "view" ? <Chip>View</Chip> : "Table"}</td>
                    <td className="amount">{table.rows?.toLocaleString() ?? ""}</td>
                    <td className="amount">{table.columns.length}</td>
                    <td>{table.keys.join(", ")}</td>
                    <td className="amount">{table.delta ? sizeInWords(table.delta.bytes) : ""}</td>
                    <td className="amount">{table.changedBy ?? ""}</td>
                    <td>{table.changedAt ? <When at={table.changedAt} /> : ""}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        )
      }
    </Read>
  );
}
