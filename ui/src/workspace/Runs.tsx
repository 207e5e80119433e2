import { useEffect, useState } from "react";
import { useInfiniteQuery } from "@tanstack/react-query";

import { Failure } from "./Failure";
import { Link } from "./Link";
import { Moment } from "./Moment";
import { Standing } from "./Standing";
import { readRuns } from "./api";
import { isOpen, launchedBy, taken } from "./words";

/** Returns the time, told anew every second while something goes on. */
export function useNow(goesOn: boolean): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    if (!goesOn) return;
    const timer = setInterval(() => setNow(Date.now()), 1_000);
    return () => clearInterval(timer);
  }, [goesOn]);
  return now;
}

/** A list of runs, newest first: of one job, or of all. */
export function Runs({ job }: { job: string | null }) {
  const runs = useInfiniteQuery({
    queryKey: ["runs", job ?? "all", "pages"],
    queryFn: ({ pageParam }) => readRuns(job, pageParam),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next,
    refetchInterval: 2_000,
  });
  const all = runs.data?.pages.flatMap((page) => page.items) ?? [];
  const now = useNow(all.some((run) => isOpen(run.state)));
  if (runs.isPending) return <p className="muted">Reading …</p>;
  return (
    <>
      <Failure of={runs.error} />
      {all.length === 0 && runs.error === null && (
        <aside className="empty">
          <h2>Nothing has run yet</h2>
          <p>
            Press <em>Run now</em> on a job, or call <code>/api/2.2/jobs/run-now</code>.
          </p>
        </aside>
      )}
      {all.length > 0 && (
        <div className="table-frame">
          <table>
            <thead>
              <tr>
                <th scope="col">Started</th>
                {job === null && <th scope="col">Job</th>}
                <th scope="col">Run id</th>
                <th scope="col">Launched</th>
                <th scope="col" className="number-cell">
                  Took
                </th>
                <th scope="col">Status</th>
              </tr>
            </thead>
            <tbody>
              {all.map((run) => (
                <tr key={run.run_id}>
                  <th scope="row">
                    <Link to={{ page: "run", job: String(run.job_id), run: run.run_id }}>
                      <Moment at={run.start_time} />
                    </Link>
                  </th>
                  {job === null && <td>{run.run_name}</td>}
                  <td className="id">{run.run_id}</td>
                  <td>{launchedBy(run)}</td>
                  <td className="number-cell">{taken(run.start_time, run.end_time, now)}</td>
                  <td>
                    <Standing state={run.state} />
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      {runs.hasNextPage && (
        <p className="more">
          <button type="button" onClick={() => void runs.fetchNextPage()} disabled={runs.isFetchingNextPage}>
            {runs.isFetchingNextPage ? "Reading …" : "Show older runs"}
          </button>
        </p>
      )}
    </>
  );
}
