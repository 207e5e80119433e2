import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";

import { Failure } from "./Failure";
import { Moment } from "./Moment";
import { changeJob, readNextRun, type Job } from "./api";
import type { Timetable as Table } from "./timetable";

/** When a job runs by itself, when that is next, and a button that stops or resumes it. */
export function Timetable({ job, table }: { job: Job; table: Table }) {
  const queries = useQueryClient();
  const next = useQuery({
    queryKey: ["next-run", job.job_id, table.isPaused],
    queryFn: () => readNextRun(job.job_id),
    refetchInterval: 10_000,
  });
  const pause = useMutation({
    mutationFn: () => {
      const before = job.settings[table.setting] as object;
      return changeJob(job.job_id, {
        [table.setting]: { ...before, pause_status: table.isPaused ? "UNPAUSED" : "PAUSED" },
      });
    },
    onSuccess: () => queries.invalidateQueries({ queryKey: ["job", job.job_id] }),
  });
  const at = next.data?.next_run_time ?? null;
  return (
    <div>
      <dt>Runs by itself</dt>
      <dd>
        {table.words}
        {table.isPaused && ", paused"}
        {!table.isPaused && at !== null && (
          <>
            ; next <Moment at={at} />
          </>
        )}{" "}
        <button type="button" className="quiet" onClick={() => pause.mutate()} disabled={pause.isPending}>
          {table.isPaused ? "Resume" : "Pause"}
        </button>
        <Failure of={pause.error ?? next.error} />
      </dd>
    </div>
  );
}
