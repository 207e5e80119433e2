import { Link } from "wouter";
import { useQuery } from "@tanstack/react-query";

import { Chip } from "../kit/Chip";
import { Empty } from "../kit/Empty";
import { Read } from "../kit/Read";
import { When } from "../kit/When";
import { pushJobs, type PushJob } from "./api";
import { stateInWords, toneOf } from "./words";

const LOOK_AGAIN_MS = 3000;

/** The line of the log that says most: of a refusal the first, which tells why; what went well is in the figures. */
function lineOf(job: PushJob): string {
  if (job.commit) return `commit ${job.commit.number}`;
  return (job.status === "ERROR" ? job.logs[0] : job.logs.at(-1)) ?? (job.status === "NEW" ? "waits for being executed" : "");
}

/** The newest push jobs, live. */
export function PushJobsTab({ pool }: { pool: string }) {
  const jobs = useQuery({ queryKey: ["push-jobs", pool], queryFn: () => pushJobs.list(pool), refetchInterval: LOOK_AGAIN_MS });
  return (
    <Read query={jobs}>
      {(all) =>
        all.length === 0 ? (
          <Empty title="Nothing was pushed yet">
            <p>
              A push job brings one upload into one table: create it, add chunks, execute it. Try{" "}
              <code>loopwright push {pool} TABLE FILE.csv</code>, or import a file above.
            </p>
          </Empty>
        ) : (
          <div className="table-frame">
            <table className="list">
              <thead>
                <tr>
                  <th>State</th>
                  <th>Table</th>
                  <th>Came</th>
                  <th>Type</th>
                  <th className="amount">Rows in</th>
                  <th className="amount">Deleted</th>
                  <th>Log</th>
                  <th>By</th>
                </tr>
              </thead>
              <tbody>
                {all.map((job) => (
                  <tr key={job.id}>
                    <td>
                      <Chip tone={toneOf(job.status)}>{stateInWords(job.status)}</Chip>
                    </td>
                    <td>
                      <Link href={`/pools/${encodeURIComponent(pool)}/push-jobs/${job.id}`}>{job.table}</Link>
                    </td>
                    <td>
                      <When at={job.createdAt} />
                    </td>
                    <td className="pools-word">
                      {stateInWords(job.type)}, {job.fileType}
                    </td>
                    <td className="amount">{job.commit?.upserted.toLocaleString() ?? ""}</td>
                    <td className="amount">{job.commit?.deleted.toLocaleString() ?? ""}</td>
                    <td className="pools-log-line">{lineOf(job)}</td>
                    <td className="pools-word">{job.createdBy}</td>
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
