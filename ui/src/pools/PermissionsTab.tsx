import { Link } from "wouter";
import { useQuery } from "@tanstack/react-query";

import { ApiError } from "../api/client";
import { Chip } from "../kit/Chip";
import { Read } from "../kit/Read";
import { useAct } from "../kit/useAct";
import { access, type AppKey } from "./api";
import { changeInWords, changeOf, gridOf, RIGHTS, type GridRow } from "./permissions";

/** Who may do what with the pool: a grid of ticks. */
export function PermissionsTab({ pool }: { pool: string }) {
  const grants = useQuery({ queryKey: ["pools", pool, "grants"], queryFn: () => access.grants(pool) });
  // Who may not list keys still sees whoever holds something.
  const keys = useQuery({
    queryKey: ["app-keys"],
    queryFn: () =>
      access.keys().catch((error: unknown) => {
        if (error instanceof ApiError && error.status === 403) return [] as AppKey[];
        throw error;
      }),
  });
  const { act, busy } = useAct("pools");
  const change = (row: GridRow, right: string) => {
    const work = changeOf(row, right) === "give" ? access.give : access.take;
    void act(() => work(row.subject, right, pool), changeInWords(row, right));
  };
  return (
    <>
      <p className="pools-lead">
        A call with a key that lacks the right is answered with <strong>401</strong> or <strong>403</strong>. A flow that pushes
        rows needs the tick at <strong>Data Push API</strong> for the key that it sends. A key that does not exist or was
        revoked gets 401 whatever is ticked here. <Link href="/app-keys">App keys</Link>
      </p>
      <Read query={keys}>
        {(allKeys) => (
          <Read query={grants}>
            {(allGrants) => (
              <div className="table-frame" tabIndex={0} role="region" aria-label="Permissions">
                <table className="list pools-grid">
                  <thead>
                    <tr>
                      <th>App key</th>
                      {RIGHTS.map(({ id, name, meaning }) => (
                        <th key={id} title={meaning}>
                          {name}
                        </th>
                      ))}
                    </tr>
                  </thead>
                  <tbody>
                    {gridOf(allKeys, allGrants).map((row) => (
                      <tr key={row.subject}>
                        <td>
                          {row.name} {row.administrator && <Chip title="Administrators may do everything">Administrator</Chip>}
                        </td>
                        {RIGHTS.map(({ id, name }) => (
                          <td key={id} className="pools-tick">
                            <input
                              type="checkbox"
                              aria-label={`${row.name}: ${name}`}
                              checked={row.administrator || row.held.has(id)}
                              disabled={busy || row.administrator}
                              onChange={() => change(row, id)}
                            />
                          </td>
                        ))}
                      </tr>
                    ))}
                  </tbody>
                </table>
              </div>
            )}
          </Read>
        )}
      </Read>
      <dl className="pools-meanings">
        {RIGHTS.map(({ id, name, meaning }) => (
          <div key={id}>
            <dt>{name}</dt>
            <dd>{meaning}</dd>
          </div>
        ))}
      </dl>
    </>
  );
}
