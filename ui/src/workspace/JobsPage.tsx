import { useInfiniteQuery, useQuery } from "@tanstack/react-query";

import { Failure } from "./Failure";
import { Link } from "./Link";
import { Moment } from "./Moment";
import { RunNow } from "./RunNow";
import { Standing } from "./Standing";
import { readJobs, readRuns, type Job } from "./api";

/** All jobs that the reader may see, newest first. */
export function JobsPage() {
  const jobs = useInfiniteQuery({
    queryKey: ["jobs"],
    queryFn: ({ pageParam }) => readJobs(pageParam),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next,
    refetchInterval: 10_000,
  });
  const all = jobs.data?.pages.flatMap((page) => page.items) ?? [];
  return (
    <section aria-labelledby="title">
      <div className="title-row">
        <h1 id="title">Jobs</h1>
      </div>
      <Failure of={jobs.error} />
      {jobs.isPending && <p className="muted">Reading …</p>}
      {jobs.isSuccess && all.length === 0 && <NoJobs />}
      {all.length > 0 && (
        <div className="table-frame">
          <table>
            <thead>
              <tr>
                <th scope="col">Name</th>
                <th scope="col">Job id</th>
                <th scope="col">Owner</th>
                <th scope="col">Schedule</th>
                <th scope="col">Last run</th>
                <th scope="col">
                  <span className="unseen">Act</span>
                </th>
              </tr>
            </thead>
            <tbody>
              {all.map((job) => (
                <Row key={job.job_id} job={job} />
              ))}
            </tbody>
          </table>
        </div>
      )}
      {jobs.hasNextPage && (
        <p className="more">
          <button type="button" onClick={() => void jobs.fetchNextPage()} disabled={jobs.isFetchingNextPage}>
            {jobs.isFetchingNextPage ? "Reading …" : "Show more jobs"}
          </button>
        </p>
      )}
    </section>
  );
}

function Row({ job }: { job: Job }) {
  const runs = useQuery({ queryKey: ["runs", job.job_id], queryFn: () => readRuns(job.job_id, null), refetchInterval: 5_000 });
  const last = runs.data?.items[0];
  const schedule = job.settings.schedule;
  return (
    <tr>
      <th scope="row">
        <Link to={{ page: "job", job: job.job_id }}>{job.settings.name}</Link>
      </th>
      <td className="id">{job.job_id}</td>
      <td>{job.creator_user_name}</td>
      <td>
        {schedule === undefined ? (
          <span className="muted">–</span>
        ) : (
          <>
            <code>{schedule.quartz_cron_expression}</code>
            {schedule.pause_status === "PAUSED" && <span className="muted"> paused</span>}
          </>
        )}
      </td>
      <td>
        {last === undefined ? (
          <span className="muted">{runs.isPending ? "…" : "never"}</span>
        ) : (
          <>
            <Link to={{ page: "run", job: job.job_id, run: last.run_id }}>
              <Standing state={last.state} />
            </Link>{" "}
            <span className="muted">
              <Moment at={last.start_time} />
            </span>
          </>
        )}
      </td>
      <td className="acts">
        <RunNow job={job} />
      </td>
    </tr>
  );
}

function NoJobs() {
  const example = `curl -X POST ${location.origin}/api/2.2/jobs/create \\
  -H "Authorization: Bearer $TOKEN" -H "Content-Type: application/json" \\
  -d '{"name": "score orders", "tasks": [{"task_key": "score",
       "spark_python_task": {"python_file": "/Shared/score.py"}}]}'`;
  return (
    <aside className="empty">
      <h2>There is no job yet</h2>
      <p>
        Jobs are made by any client of the Databricks Jobs API: point it at <code>{location.origin}</code> with an access
        token from <Link to={{ page: "tokens" }}>Settings</Link>.
      </p>
      <pre>{example}</pre>
    </aside>
  );
}
