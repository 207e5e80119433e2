import { useState, type FormEvent } from "react";
import { Link, useLocation } from "wouter";
import { useQuery } from "@tanstack/react-query";

import { Dialog } from "../kit/Dialog";
import { Empty } from "../kit/Empty";
import { Read } from "../kit/Read";
import { useAct } from "../kit/useAct";
import { When } from "../kit/When";
import { dataJobs, type DataJob } from "./api";

/** Data jobs: transformations in SQL that make rows of rows. */
export function DataJobsTab({ pool }: { pool: string }) {
  const jobs = useQuery({ queryKey: ["pools", pool, "data-jobs"], queryFn: () => dataJobs.list(pool) });
  const [making, setMaking] = useState(false);
  const { act, busy } = useAct("pools");
  const to = (name: string) => `/pools/${encodeURIComponent(pool)}/data-jobs/${encodeURIComponent(name)}`;
  return (
    <>
      <div className="pools-tab-bar">
        <p className="muted">Each statement is a commit like that of a push, so triggers see what changed.</p>
        <button type="button" className="primary" onClick={() => setMaking(true)}>
          New data job
        </button>
      </div>
      <Read query={jobs}>
        {(all) =>
          all.length === 0 ? (
            <Empty title="There is no data job yet">
              <p>Make one, add a transformation, and run it. To only look at rows, use the SQL editor.</p>
            </Empty>
          ) : (
            <div className="table-frame">
              <table className="list">
                <thead>
                  <tr>
                    <th>Name</th>
                    <th>Transformations</th>
                    <th>Starts</th>
                    <th>Changed</th>
                    <th>
                      <span className="pools-unseen">What can be done</span>
                    </th>
                  </tr>
                </thead>
                <tbody>
                  {all.map((job) => (
                    <tr key={job.id}>
                      <td>
                        <Link href={to(job.name)}>{job.name}</Link>
                      </td>
                      <td>{job.transformations.map(({ name }) => name).join(", ")}</td>
                      <td>{startInWords(job)}</td>
                      <td>
                        <When at={job.changedAt} />
                      </td>
                      <td className="pools-small">
                        <button
                          type="button"
                          disabled={busy}
                          aria-label={`Run ${job.name}`}
                          onClick={() => void act(() => dataJobs.run(pool, job.name), `"${job.name}" runs`)}
                        >
                          Run
                        </button>
                      </td>
                    </tr>
                  ))}
                </tbody>
              </table>
            </div>
          )
        }
      </Read>
      {making && <NewDataJob pool={pool} onClose={() => setMaking(false)} />}
    </>
  );
}

export function startInWords(job: DataJob): string {
  if (job.onChangeOf !== undefined && job.onChangeOf.length > 0) return `when ${job.onChangeOf.join(", ")} change`;
  if (job.nextAt !== null) return "on a schedule";
  return "by hand";
}

function NewDataJob({ pool, onClose }: { pool: string; onClose: () => void }) {
  const [name, setName] = useState("");
  const [transformation, setTransformation] = useState("Transformation 1");
  const [sql, setSql] = useState("");
  const [, goTo] = useLocation();
  const { act, busy } = useAct("pools");
  const make = async (event: FormEvent) => {
    event.preventDefault();
    const job = await act(() => dataJobs.put(pool, name.trim(), [{ name: transformation, sql }]), `"${name.trim()}" is there`);
    if (job !== null) goTo(`/pools/${encodeURIComponent(pool)}/data-jobs/${encodeURIComponent(job.name)}`);
  };
  return (
    <Dialog
      title="New data job"
      wide
      onClose={onClose}
      actions={
        <button type="submit" form="new-job" className="primary" disabled={busy || name.trim() === "" || sql.trim() === ""}>
          Create
        </button>
      }
    >
      <form id="new-job" onSubmit={make}>
        <div className="field">
          <label htmlFor="job-name">Name</label>
          <input id="job-name" value={name} autoFocus onChange={(event) => setName(event.target.value)} />
        </div>
        <div className="field">
          <label htmlFor="job-connection">Connection</label>
          <select id="job-connection" defaultValue="global">
            <option value="global">Global (no data connection)</option>
          </select>
          <p className="hint">It works on the tables that are in the pool. Rows from elsewhere come by a source or a push.</p>
        </div>
        <div className="field">
          <label htmlFor="job-transformation">Transformation</label>
          <input id="job-transformation" value={transformation} onChange={(event) => setTransformation(event.target.value)} />
        </div>
        <div className="field">
          <label htmlFor="job-sql">Statements</label>
          <textarea
            id="job-sql"
            className="pools-code"
            rows={9}
            value={sql}
            placeholder={"CREATE OR REPLACE TABLE activities AS\nSELECT …;"}
            onChange={(event) => setSql(event.target.value)}
          />
          <p className="hint">CREATE TABLE … AS, CREATE VIEW, DROP, INSERT, UPDATE, DELETE; a semicolon after each.</p>
        </div>
      </form>
    </Dialog>
  );
}
