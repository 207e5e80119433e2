import { useQuery } from "@tanstack/react-query";

import { Chip } from "../kit/Chip";
import { Empty } from "../kit/Empty";
import { Read } from "../kit/Read";
import { useAct } from "../kit/useAct";
import { When } from "../kit/When";
import { sources, type Source } from "./api";

/** What brings rows by itself. */
export function SourcesTab({ pool }: { pool: string }) {
  const list = useQuery({ queryKey: ["pools", pool, "sources"], queryFn: () => sources.list(pool), refetchInterval: 5000 });
  return (
    <Read query={list}>
      {(all) =>
        all.length === 0 ? (
          <Empty title="No source brings rows by itself">
            <p>
              A source watches a folder, asks an address, or queries a database, and pushes what it finds. Write it down, name it under{" "}
              <code>sources:</code> in <code>loopwright.yaml</code>, and run <code>loopwright apply</code>.
            </p>
          </Empty>
        ) : (
          <div className="table-frame">
            <table className="list">
              <thead>
                <tr>
                  <th>Source</th>
                  <th>State</th>
                  <th>Kind</th>
                  <th>Table</th>
                  <th className="amount">Rows</th>
                  <th>Last look</th>
                  <th>Next</th>
                  <th>
                    <span className="pools-unseen">What can be done</span>
                  </th>
                </tr>
              </thead>
              <tbody>
                {all.map((source) => (
                  <Line key={source.key} pool={pool} source={source} />
                ))}
              </tbody>
            </table>
          </div>
        )
      }
    </Read>
  );
}

function Line({ pool, source }: { pool: string; source: Source }) {
  const { act, busy } = useAct("pools");
  const does = (verb: "run" | "pause" | "resume", said: string) => () => void act(() => sources.act(pool, source.key, verb), said);
  return (
    <tr>
      <td>
        {source.key}
        {source.lastError !== null && <p className="pools-error">{source.lastError}</p>}
      </td>
      <td>
        {source.paused ? <Chip tone="warn">Paused</Chip> : source.failures > 0 ? <Chip tone="bad">Failing</Chip> : <Chip tone="good">Active</Chip>}
      </td>
      <td>{source.kind}</td>
      <td>{source.table}</td>
      <td className="amount">{source.rows.toLocaleString()}</td>
      <td>{source.lastRunAt === null ? "never" : <When at={source.lastRunAt} />}</td>
      <td>{source.nextAt === null ? "when asked" : <When at={source.nextAt} />}</td>
      <td>
        <div className="actions pools-small">
          <button type="button" disabled={busy} onClick={does("run", `"${source.key}" looks now`)}>
            Look now
          </button>
          {source.paused ? (
            <button type="button" disabled={busy} onClick={does("resume", `"${source.key}" looks by itself again`)}>
              Resume
            </button>
          ) : (
            <button type="button" disabled={busy} onClick={does("pause", `"${source.key}" looks only when asked`)}>
              Pause
            </button>
          )}
        </div>
      </td>
    </tr>
  );
}
