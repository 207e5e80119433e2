import { useState, type FormEvent } from "react";
import { useMutation, useQueryClient } from "@tanstack/react-query";

import { Failure } from "./Failure";
import { goTo } from "./place";
import { runNow, type Job } from "./api";

/** A button that starts a job; with parameters it asks for them first. */
export function RunNow({ job, prominent }: { job: Job; prominent?: boolean }) {
  const [asking, setAsking] = useState(false);
  const queries = useQueryClient();
  const parameters = job.settings.parameters ?? [];
  const [values, setValues] = useState<Record<string, string>>({});
  const start = useMutation({
    mutationFn: () => runNow(job.job_id, values),
    onSuccess: ({ run_id }) => {
      setAsking(false);
      void queries.invalidateQueries({ queryKey: ["runs"] });
      goTo(`/jobs/${job.job_id}/runs/${run_id}`);
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    start.mutate();
  };
  if (!asking) {
    return (
      <>
        <button
          type="button"
          className={prominent === true ? "primary" : ""}
          disabled={start.isPending}
          onClick={() => (parameters.length > 0 ? setAsking(true) : start.mutate())}
          aria-label={`Run now: ${job.settings.name}`}
        >
          {start.isPending ? "Starting …" : "Run now"}
        </button>
        <Failure of={start.error} />
      </>
    );
  }
  return (
    <form className="parameters" onSubmit={submit} aria-label={`Parameters of ${job.settings.name}`}>
      {parameters.map(({ name, default: usual }, place) => (
        <label key={name}>
          {name}
          <input
            autoFocus={place === 0}
            placeholder={usual}
            value={values[name] ?? ""}
            onChange={(event) => setValues({ ...values, [name]: event.target.value })}
          />
        </label>
      ))}
      <span className="acts">
        <button type="submit" className="primary" disabled={start.isPending}>
          {start.isPending ? "Starting …" : "Run now"}
        </button>
        <button type="button" className="quiet" onClick={() => setAsking(false)}>
          Cancel
        </button>
      </span>
      <Failure of={start.error} />
    </form>
  );
}
