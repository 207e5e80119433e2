import { useState } from "react";
import { Link, useLocation, useParams } from "wouter";
import { useQuery } from "@tanstack/react-query";

import { useAddressValue } from "../kit/address";
import { Chip } from "../kit/Chip";
import { Confirm } from "../kit/Confirm";
import { Page } from "../kit/Page";
import { Read } from "../kit/Read";
import { useAct } from "../kit/useAct";
import { duration, When } from "../kit/When";
import { dataJobs, type DataJob } from "./api";
import { startInWords } from "./DataJobsTab";
import { stateInWords, toneOf } from "./words";
import { usePoolName } from "./usePoolName";
import "./pools.css";

/** A data job: its transformations, and how its runs went. */
export default function DataJobPage() {
  const params = useParams<{ pool: string; job: string }>();
  const pool = decodeURIComponent(params.pool);
  const id = decodeURIComponent(params.job);
  const job = useQuery({ queryKey: ["pools", pool, "data-jobs", id], queryFn: () => dataJobs.show(pool, id) });
  const name = job.data?.name ?? "Data job";
  const [leaving, setLeaving] = useState(false);
  const [, goTo] = useLocation();
  const { act, busy } = useAct("pools", "tables");
  const poolName = usePoolName(pool);
  const to = `/pools/${encodeURIComponent(pool)}`;
  const remove = async () => {
    // The page is left before everything is read anew: what is gone is not asked for.
    await act(() => dataJobs.remove(pool, id).then(() => goTo(`${to}?tab=data-jobs`)), `"${name}" is deleted`);
    setLeaving(false);
  };
  return (
    <Page
      title={name}
      above={[
        { name: "Data pools", to: "/pools" },
        { name: poolName, to },
        { name: "Data jobs", to: `${to}?tab=data-jobs` },
      ]}
      actions={
        <>
          <button type="button" className="grave" onClick={() => setLeaving(true)}>
            Delete
          </button>
          <button type="button" className="primary" disabled={busy} onClick={() => void act(() => dataJobs.run(pool, id), `"${name}" runs`)}>
            Run
          </button>
        </>
      }
    >
      <p className="pools-lead">Connection: Global (no data connection). Its transformations run one after the other.</p>
      <Read query={job}>{(shown) => <Transformations pool={pool} job={shown} />}</Read>
      <Runs pool={pool} job={id} />
      {leaving && (
        <Confirm title={`Delete "${name}"?`} verb="Delete" grave busy={busy} onDo={() => void remove()} onClose={() => setLeaving(false)}>
          <p>The job goes with the records of its runs. The tables that it made stay.</p>
        </Confirm>
      )}
    </Page>
  );
}

function Transformations({ pool, job }: { pool: string; job: DataJob }) {
  const [texts, setTexts] = useState(() => job.transformations.map(({ name, statements }) => ({ name, sql: statements })));
  const { act, busy } = useAct("pools");
  const changed = JSON.stringify(texts) !== JSON.stringify(job.transformations.map(({ name, statements }) => ({ name, sql: statements })));
  const set = (place: number, part: Partial<{ name: string; sql: string }>) =>
    setTexts((all) => all.map((each, index) => (index === place ? { ...each, ...part } : each)));
  const byHand = startInWords(job) === "by hand";
  return (
    <section aria-label="Transformations">
      {texts.map(({ name, sql }, place) => (
        <div key={place} className="pools-transformation">
          <input aria-label={`Name of transformation ${place + 1}`} value={name} onChange={(event) => set(place, { name: event.target.value })} />
          <textarea
            aria-label={`Statements of ${name}`}
            className="pools-code"
            rows={Math.min(16, Math.max(4, sql.split("\n").length + 1))}
            value={sql}
            onChange={(event) => set(place, { sql: event.target.value })}
          />
        </div>
      ))}
      <div className="actions">
        <button type="button" onClick={() => setTexts((all) => [...all, { name: `Transformation ${all.length + 1}`, sql: "" }])}>
          Add transformation
        </button>
        {/* A job with a schedule or a cause is kept whole in its file; saving from here would lose them. */}
        <button
          type="button"
          disabled={!changed || busy || !byHand}
          title={byHand ? undefined : "This job starts by itself: change it in its file and run loopwright apply"}
          onClick={() => void act(() => dataJobs.put(pool, job.name, texts), "Saved")}
        >
          Save
        </button>
        <Link className="button" href={`/pools/${encodeURIComponent(pool)}?tab=sql`}>
          Look at the tables in the SQL editor
        </Link>
      </div>
    </section>
  );
}

function Runs({ pool, job }: { pool: string; job: string }) {
  const runs = useQuery({ queryKey: ["pools", pool, "data-jobs", job, "runs"], queryFn: () => dataJobs.runs(pool, job), refetchInterval: 2000 });
  const [open, setOpen] = useAddressValue("run");
  const shown = open ?? runs.data?.[0]?.id ?? null;
  return (
    <section aria-labelledby="runs-title" className="pools-block">
      <h2 id="runs-title" className="pools-head">
        Runs
      </h2>
      <Read query={runs}>
        {(all) =>
          all.length === 0 ? (
            <p className="muted">It has not run yet.</p>
          ) : (
            <div className="table-frame">
              <table className="list">
                <thead>
                  <tr>
                    <th>State</th>
                    <th>Started</th>
                    <th>By</th>
                    <th>Statements</th>
                  </tr>
                </thead>
                <tbody>
                  {all.map((run) => (
                    <tr key={run.id}>
                      <td>
                        <Chip tone={toneOf(run.state)}>{stateInWords(run.state)}</Chip>
                      </td>
                      <td>
                        <When at={run.startedAt ?? run.createdAt} />
                      </td>
                      <td>{run.createdBy}</td>
                      <td>
                        {run.error !== null && <p className="pools-error">{run.error}</p>}
                        {run.id === shown ? (
                          <Statements pool={pool} job={job} run={run.id} />
                        ) : (
                          <button type="button" className="quiet" onClick={() => setOpen(run.id)}>
                            Show
                          </button>
                        )}
                      </td>
                    </tr>
                  ))}
                </tbody>
              </table>
            </div>
          )
        }
      </Read>
    </section>
  );
}

function Statements({ pool, job, run }: { pool: string; job: string; run: string }) {
  const ran = useQuery({ queryKey: ["pools", pool, "data-jobs", job, "runs", run], queryFn: () => dataJobs.ran(pool, job, run), refetchInterval: 2000 });
  return (
    <Read query={ran}>
      {({ statements }) => (
        <ol className="pools-statements">
          {statements.map((one) => (
            <li key={one.place}>
              <Chip tone={toneOf(one.state)}>{stateInWords(one.state)}</Chip> {one.verb} {one.target}
              {one.upserted !== null && `, ${one.upserted.toLocaleString()} rows`}
              {one.durationMs !== null && `, ${duration(one.durationMs)}`}
              {one.error !== null && (
                <p className="pools-error">
                  {one.transformation}, line {one.line}: {one.error}
                </p>
              )}
            </li>
          ))}
        </ol>
      )}
    </Read>
  );
}
