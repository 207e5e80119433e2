import { useState, type FormEvent } from "react";
import { Link, useLocation, useParams } from "wouter";
import { useQuery } from "@tanstack/react-query";

import { Chip } from "../kit/Chip";
import { Dialog } from "../kit/Dialog";
import { Page } from "../kit/Page";
import { Read } from "../kit/Read";
import { useAct } from "../kit/useAct";
import { When } from "../kit/When";
import { pushJobs, type PushJobWithChunks } from "./api";
import { sizeInWords, stateInWords, toneOf } from "./words";
import { usePoolName } from "./usePoolName";
import "./pools.css";

/** One push job: its log, its chunks, and whether it can be loaded again. */
export default function PushJobPage() {
  const params = useParams<{ pool: string; job: string }>();
  const pool = decodeURIComponent(params.pool);
  const job = useQuery({
    queryKey: ["push-jobs", pool, params.job],
    queryFn: () => pushJobs.show(pool, params.job),
    refetchInterval: 2000,
  });
  const [again, setAgain] = useState(false);
  const { act, busy } = useAct("push-jobs", "tables");
  const poolName = usePoolName(pool);
  const to = `/pools/${encodeURIComponent(pool)}`;
  const kept = job.data?.chunks.some((chunk) => chunk.kept) === true;
  return (
    <Page
      title={job.data === undefined ? "Push job" : `Push into ${job.data.table}`}
      above={[
        { name: "Data pools", to: "/pools" },
        { name: poolName, to },
        { name: "Push jobs", to: `${to}?tab=push-jobs` },
      ]}
      standing={job.data !== undefined && <Chip tone={toneOf(job.data.status)}>{stateInWords(job.data.status)}</Chip>}
      actions={
        job.data?.status === "NEW" && job.data.chunks.length > 0 ? (
          <button type="button" className="primary" disabled={busy} onClick={() => void act(() => pushJobs.execute(pool, params.job), "The job is executed")}>
            Execute
          </button>
        ) : (
          // Only the chunks of jobs that failed, or came to one column, are kept.
          job.data?.status !== "NEW" &&
          kept && (
            <button type="button" onClick={() => setAgain(true)}>
              Load again
            </button>
          )
        )
      }
    >
      <Read query={job}>{(shown) => <Job pool={pool} job={shown} />}</Read>
      {again && <LoadAgain pool={pool} job={params.job} onClose={() => setAgain(false)} />}
    </Page>
  );
}

function Job({ pool, job }: { pool: string; job: PushJobWithChunks }) {
  return (
    <>
      <p>
        Made by {job.createdBy}, <When at={job.createdAt} />
        {job.commit && (
          <>
            ; {job.commit.upserted.toLocaleString()} rows came into{" "}
            <Link href={`/pools/${encodeURIComponent(pool)}/tables/${encodeURIComponent(job.table)}`}>{job.table}</Link> with commit{" "}
            {job.commit.number}
          </>
        )}
        .
      </p>
      <p className="muted">
        Job id <code>{job.id}</code>
        {job.keptUntil !== null && (
          <>
            ; its chunks are kept until <When at={job.keptUntil} />
          </>
        )}
      </p>
      <h2 className="pools-head">Log</h2>
      {job.logs.length === 0 ? (
        <p className="muted">Nothing yet. A job that is new waits for its chunks, and then for being executed.</p>
      ) : (
        <ol className={job.status === "ERROR" ? "pools-log bad" : "pools-log"}>
          {job.logs.map((line, place) => (
            <li key={place}>{line}</li>
          ))}
        </ol>
      )}
      <h2 className="pools-head">Chunks</h2>
      <div className="table-frame">
        <table className="list">
          <thead>
            <tr>
              <th>File</th>
              <th>Type</th>
              <th className="amount">Size</th>
              <th>Came</th>
              <th>Kept</th>
            </tr>
          </thead>
          <tbody>
            {job.chunks.map((chunk) => (
              <tr key={chunk.id}>
                <td>{chunk.fileName}</td>
                <td>{stateInWords(chunk.type)}</td>
                <td className="amount">{sizeInWords(chunk.bytes)}</td>
                <td>
                  <When at={chunk.createdAt} />
                </td>
                <td>{chunk.kept ? "yes" : "no"}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </>
  );
}

function LoadAgain({ pool, job, onClose }: { pool: string; job: string; onClose: () => void }) {
  const [separator, setSeparator] = useState(";");
  const [decimal, setDecimal] = useState("");
  const [, goTo] = useLocation();
  const { act, busy } = useAct("push-jobs", "tables");
  const load = async (event: FormEvent) => {
    event.preventDefault();
    const options: Record<string, string> = {};
    if (separator !== "") options["separatorSequence"] = separator === "\\t" ? "\t" : separator;
    if (decimal !== "") options["decimalSeparator"] = decimal;
    const made = await act(() => pushJobs.reload(pool, job, options), "The same chunks are loaded again");
    if (made === null) return;
    onClose();
    goTo(`/pools/${encodeURIComponent(pool)}/push-jobs/${made.id}`);
  };
  return (
    <Dialog
      title="Load again"
      onClose={onClose}
      actions={
        <button type="submit" form="load-again" className="primary" disabled={busy}>
          Load again
        </button>
      }
    >
      <p>A new job reads the same chunks with these options and replaces what this job wrote. What is left empty stays as it was.</p>
      <form id="load-again" onSubmit={load}>
        <div className="field">
          <label htmlFor="separator">What separates cells</label>
          <input id="separator" value={separator} onChange={(event) => setSeparator(event.target.value)} />
          <p className="hint">Often ; or , or \t for a tab.</p>
        </div>
        <div className="field">
          <label htmlFor="decimal">Decimal sign</label>
          <input id="decimal" value={decimal} onChange={(event) => setDecimal(event.target.value)} />
        </div>
      </form>
    </Dialog>
  );
}
