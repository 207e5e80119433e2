import { Link, useParams } from "wouter";
import { useQuery } from "@tanstack/react-query";

import { Chip } from "../kit/Chip";
import { Page } from "../kit/Page";
import { Read } from "../kit/Read";
import { When } from "../kit/When";
import { pools } from "./api";
import { Rows } from "./Rows";
import { quoted } from "./statements";
import { roleOf, sizeInWords } from "./words";
import { usePoolName } from "./usePoolName";
import "./pools.css";

/** A table: its columns, and some of its rows. */
export default function TablePage() {
  const params = useParams<{ pool: string; table: string }>();
  const pool = decodeURIComponent(params.pool);
  const name = decodeURIComponent(params.table);
  const table = useQuery({ queryKey: ["tables", pool, name], queryFn: () => pools.table(pool, name) });
  const models = useQuery({ queryKey: ["pools", pool, "data-models"], queryFn: () => pools.dataModels(pool) });
  const poolName = usePoolName(pool);
  const to = `/pools/${encodeURIComponent(pool)}`;
  const statement = encodeURIComponent(`SELECT * FROM ${quoted(name)}`);
  return (
    <Page
      title={name}
      above={[
        { name: "Data pools", to: "/pools" },
        { name: poolName, to },
      ]}
      standing={table.data?.kind === "view" && <Chip>View</Chip>}
      actions={
        <Link className="button" href={`${to}?tab=sql&sql=${statement}`}>
          Open in the SQL editor
        </Link>
      }
    >
      <Read query={table}>
        {(shown) => (
          <>
            <dl className="pools-facts">
              <Fact name="Rows">{shown.rows?.toLocaleString() ?? "not counted"}</Fact>
              <Fact name="Last commit">{shown.changedBy ?? "none"}</Fact>
              {shown.changedAt && (
                <Fact name="Changed">
                  <When at={shown.changedAt} />
                </Fact>
              )}
              {shown.delta && (
                <Fact name="At rest">
                  {sizeInWords(shown.delta.bytes)} in {shown.delta.files} file{shown.delta.files === 1 ? "" : "s"}, version{" "}
                  {shown.delta.version}
                </Fact>
              )}
            </dl>
            <h2>Columns</h2>
            <div className="table-frame pools-block">
              <table className="list">
                <thead>
                  <tr>
                    <th>Name</th>
                    <th>Type</th>
                    <th>Role</th>
                  </tr>
                </thead>
                <tbody>
                  {shown.columns.map((column) => {
                    const role = roleOf(name, column.name, models.data ?? []);
                    return (
                      <tr key={column.name}>
                        <td>{column.name}</td>
                        <td>{column.type}</td>
                        <td>
                          {role !== null && <Chip tone="busy">{role}</Chip>} {shown.keys.includes(column.name) && <Chip>key</Chip>}
                        </td>
                      </tr>
                    );
                  })}
                </tbody>
              </table>
            </div>
            {shown.columns.length <= 2 && (
              <p className="muted pools-block">
                If all headings stand in one column, the separator was another one: open the push job under Push jobs and load it
                again.
              </p>
            )}
            <h2>First rows</h2>
            <Rows label="First rows" columns={shown.columns} rows={shown.sample ?? []} />
          </>
        )}
      </Read>
    </Page>
  );
}

function Fact({ name, children }: { name: string; children: React.ReactNode }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}
