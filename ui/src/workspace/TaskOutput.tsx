import { useEffect, useRef, useState } from "react";
import { useQuery } from "@tanstack/react-query";

import { Failure } from "./Failure";
import { Moment } from "./Moment";
import { Standing } from "./Standing";
import { readOutput, type Task } from "./api";
import { useLogs } from "./useLogs";
import { bodyOf, isOpen, taken } from "./words";

/** What a task printed so far, how it failed, and what it gave back. */
export function TaskOutput({ task, job, now }: { task: Task; job: string; now: number }) {
  const id = task.run_id ?? "";
  const goesOn = isOpen(task.state);
  const output = useQuery({
    queryKey: ["output", id, goesOn],
    queryFn: () => readOutput(id),
    enabled: id !== "",
    refetchInterval: goesOn ? 1_000 : false,
  });
  const logs = useLogs(id, goesOn);
  const { sort, what } = bodyOf(task);
  const told = output.data;
  const attempt = task.attempt_number ?? 0;
  return (
    <article className="task" aria-labelledby="task-title">
      <div className="title-row">
        <h2 id="task-title">
          {task.task_key} <Standing state={task.state} />
        </h2>
        <p className="muted">
          {sort}
          {what !== "" && (
            <>
              {" "}
              <code>{what}</code>
            </>
          )}
          {attempt > 0 && `, attempt ${attempt + 1}`}, started <Moment at={task.start_time ?? 0} />, took{" "}
          {taken(task.start_time, task.end_time, now)}, run <span className="id">{id}</span>
        </p>
      </div>
      {!!task.state?.state_message && <p className="message">{task.state.state_message}</p>}
      <Failure of={output.error ?? logs.error} />
      {told?.error !== undefined && (
        <div className="problem">
          <strong>{told.error}</strong>
          {told.error_trace !== undefined && <pre>{told.error_trace}</pre>}
        </div>
      )}
      {told?.notebook_output?.result !== undefined && (
        <>
          <h3>Result{told.notebook_output.truncated === true && " (its beginning)"}</h3>
          <pre>{told.notebook_output.result}</pre>
        </>
      )}
      {told?.run_job_output !== undefined && (
        <p>
          It ran another job: <a href={`/jobs/${job}/runs/${told.run_job_output.run_id}`}>run {told.run_job_output.run_id}</a>
        </p>
      )}
      <Log text={logs.text} goesOn={goesOn} />
    </article>
  );
}

function Log({ text, goesOn }: { text: string; goesOn: boolean }) {
  const box = useRef<HTMLPreElement>(null);
  const [follows, setFollows] = useState(true);
  useEffect(() => {
    if (follows && box.current !== null) box.current.scrollTop = box.current.scrollHeight;
  }, [text, follows]);
  const scrolled = () => {
    const { scrollTop, scrollHeight, clientHeight } = box.current!;
    setFollows(scrollHeight - scrollTop - clientHeight < 24);
  };
  return (
    <>
      <h3>
        Log {goesOn && <span className="muted">live</span>}
      </h3>
      {text === "" ? (
        <p className="muted">{goesOn ? "Nothing was printed yet." : "Nothing was printed."}</p>
      ) : (
        <pre ref={box} className="log" onScroll={scrolled} tabIndex={0} aria-label="Log">
          {text}
        </pre>
      )}
    </>
  );
}
