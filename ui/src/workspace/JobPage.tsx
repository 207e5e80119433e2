import { useQuery } from "@tanstack/react-query";

import { Failure } from "./Failure";
import { RunNow } from "./RunNow";
import { Runs } from "./Runs";
import { TaskGraph } from "./TaskGraph";
import { Timetable } from "./Timetable";
import { readJob } from "./api";
import { timetableOf } from "./timetable";

/** One job: what it does, and how its runs went. */
export function JobPage({ id }: { id: string }) {
  const job = useQuery({ queryKey: ["job", id], queryFn: () => readJob(id) });
  if (job.data === undefined) return job.error === null ? <p className="muted">Reading …</p> : <Failure of={job.error} />;
  const { settings, creator_user_name, run_as_user_name } = job.data;
  const table = timetableOf(settings);
  return (
    <section aria-labelledby="title">
      <div className="title-row">
        <h1 id="title">{settings.name}</h1>
        <RunNow job={job.data} prominent />
      </div>
      <dl className="facts">
        <div>
          <dt>Job id</dt>
          <dd className="id">{id}</dd>
        </div>
        <div>
          <dt>Owner</dt>
          <dd>{creator_user_name}</dd>
        </div>
        <div>
          <dt>At once</dt>
          <dd>
            {settings.max_concurrent_runs}, {settings.queue?.enabled === true ? "others wait" : "others are skipped"}
          </dd>
        </div>
        {run_as_user_name !== creator_user_name && (
          <div>
            <dt>Runs as</dt>
            <dd>{run_as_user_name}</dd>
          </div>
        )}
        {table !== null && <Timetable job={job.data} table={table} />}
      </dl>
      <h2>Tasks</h2>
      <TaskGraph tasks={settings.tasks ?? []} />
      <h2>Runs</h2>
      <Runs job={id} />
      <details>
        <summary>Settings, as the API tells them</summary>
        <pre>{JSON.stringify(settings, null, 2)}</pre>
      </details>
    </section>
  );
}
