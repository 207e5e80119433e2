import { useState } from "react";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";

import { Failure } from "./Failure";
import { Link } from "./Link";
import { Moment } from "./Moment";
import { useNow } from "./Runs";
import { Standing } from "./Standing";
import { TaskGraph } from "./TaskGraph";
import { TaskOutput } from "./TaskOutput";
import { cancelRun, readRun, repairRun, type Run } from "./api";
import { isOpen, launchedBy, standing, taken } from "./words";

/** One run: what launched it, how its tasks stand, and what they print. */
export function RunPage({ id }: { id: string }) {
  const run = useQuery({
    queryKey: ["run", id],
    queryFn: () => readRun(id),
    refetchInterval: (query) => (query.state.data === undefined || isOpen(query.state.data.state) ? 1_000 : false),
  });
  if (run.data === undefined) return run.error === null ? <p className="muted">Reading …</p> : <Failure of={run.error} />;
  return (
    <>
      <Failure of={run.error} />
      <Shown run={run.data} />
    </>
  );
}

function Shown({ run }: { run: Run }) {
  const goesOn = isOpen(run.state);
  const now = useNow(goesOn);
  const tasks = run.tasks ?? [];
  const [asked, choose] = useState<string | null>(null);
  // Who looks at a run that failed wants to see why.
  const failed = tasks.find((task) => standing(task.state).word === "Failed");
  const busy = tasks.find((task) => task.state?.life_cycle_state === "RUNNING");
  const chosen = asked ?? (failed ?? busy ?? tasks[0])?.task_key;
  const task = tasks.find((one) => one.task_key === chosen);
  const ofJob = String(run.job_id) !== "0";
  const parameters = run.job_parameters ?? [];
  return (
    <section aria-labelledby="title">
      <p className="trail">
        {ofJob ? (
          <>
            <Link to={{ page: "jobs" }}>Jobs</Link> /{" "}
            <Link to={{ page: "job", job: String(run.job_id) }}>{run.run_name}</Link>
          </>
        ) : (
          <Link to={{ page: "runs" }}>Job runs</Link>
        )}
      </p>
      <div className="title-row">
        <h1 id="title">
          {run.run_name} <Standing state={run.state} />
        </h1>
        <Acts run={run} />
      </div>
      {!!run.state.state_message && run.state.state_message !== "" && <p className="message">{run.state.state_message}</p>}
      <dl className="facts">
        <div>
          <dt>Run id</dt>
          <dd className="id">{run.run_id}</dd>
        </div>
        <div>
          <dt>Launched</dt>
          <dd>{launchedBy(run)}</dd>
        </div>
        <div>
          <dt>Started</dt>
          <dd>
            <Moment at={run.start_time} />
          </dd>
        </div>
        <div>
          <dt>Took</dt>
          <dd>{taken(run.start_time, run.end_time, now)}</dd>
        </div>
      </dl>
      {parameters.length > 0 && (
        <details open={parameters.length <= 6}>
          <summary>Parameters</summary>
          <div className="table-frame">
            <table className="narrow">
              <tbody>
                {parameters.map(({ name, value, default: usual }) => (
                  <tr key={name}>
                    <th scope="row">{name}</th>
                    <td>
                      <code>{value ?? usual}</code>
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        </details>
      )}
      <h2>Tasks</h2>
      <TaskGraph tasks={tasks} chosen={chosen} onChoose={choose} />
      {task !== undefined && <TaskOutput key={task.run_id} task={task} job={String(run.job_id)} now={now} />}
    </section>
  );
}

function Acts({ run }: { run: Run }) {
  const queries = useQueryClient();
  const again = () => queries.invalidateQueries({ queryKey: ["run", run.run_id] });
  const cancel = useMutation({ mutationFn: () => cancelRun(run.run_id), onSuccess: again });
  const repair = useMutation({ mutationFn: () => repairRun(run.run_id), onSuccess: again });
  const hasFailed = !isOpen(run.state) && standing(run.state).tone === "bad";
  return (
    <span className="acts">
      {isOpen(run.state) && (
        <button type="button" onClick={() => cancel.mutate()} disabled={cancel.isPending}>
          {cancel.isPending ? "Cancelling …" : "Cancel run"}
        </button>
      )}
      {hasFailed && (
        <button type="button" onClick={() => repair.mutate()} disabled={repair.isPending}>
          {repair.isPending ? "Repairing …" : "Repair: run again what failed"}
        </button>
      )}
      <Failure of={cancel.error ?? repair.error} />
    </span>
  );
}
