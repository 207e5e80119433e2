// How runs stand, in words for people.

import type { Run, StateBlock, Task } from "./api";

export type Tone = "good" | "bad" | "busy" | "waiting" | "quiet";

const OPEN = ["QUEUED", "PENDING", "RUNNING", "TERMINATING", "BLOCKED", "WAITING_FOR_RETRY"];

/** Tells whether something more will happen. */
export const isOpen = (state: StateBlock | undefined) => state !== undefined && OPEN.includes(state.life_cycle_state);

/** Says how something stands, and how that looks. */
export function standing(state: StateBlock | undefined): { word: string; tone: Tone } {
  if (state === undefined) return { word: "Not started", tone: "quiet" };
  if (isOpen(state)) {
    const tone: Tone = ["RUNNING", "TERMINATING"].includes(state.life_cycle_state) ? "busy" : "waiting";
    return { word: spoken(state.life_cycle_state), tone };
  }
  switch (state.result_state) {
    case "SUCCESS":
      return { word: "Succeeded", tone: "good" };
    case "SUCCESS_WITH_FAILURES":
      return { word: "Succeeded with failures", tone: "good" };
    case "FAILED":
      return { word: "Failed", tone: "bad" };
    case "TIMEDOUT":
      return { word: "Timed out", tone: "bad" };
    case "CANCELED":
      return { word: "Cancelled", tone: "quiet" };
    case "UPSTREAM_FAILED":
      return { word: "Upstream failed", tone: "bad" };
    case "MAXIMUM_CONCURRENT_RUNS_REACHED":
      return { word: "Skipped: too many at once", tone: "quiet" };
    default:
      return { word: spoken(state.result_state ?? state.life_cycle_state), tone: "quiet" };
  }
}

/** Says what launched a run, and for whom. */
export function launchedBy(run: Run): string {
  const who = run.creator_user_name;
  switch (run.trigger) {
    case "PERIODIC":
      return `By schedule, for ${who}`;
    case "RUN_JOB_TASK":
      return `By another job, for ${who}`;
    case "RETRY":
      return `Again after a failure, for ${who}`;
    case "FILE_ARRIVAL":
      return `By a file that arrived, for ${who}`;
    case "CONTINUOUS":
      return `Continuously, for ${who}`;
    default:
      return run.run_type === "SUBMIT_RUN" ? `Submitted once, by ${who}` : `By ${who}, through the API`;
  }
}

/** Names what a task runs: its sort, and where that is. */
export function bodyOf(task: Task): { sort: string; what: string } {
  const name = Object.keys(task).find((key) => key.endsWith("_task") && typeof task[key] === "object");
  if (name === undefined) return { sort: "Task", what: "" };
  const body = task[name] as Record<string, unknown>;
  const text = (key: string) => (typeof body[key] === "string" || typeof body[key] === "number" ? String(body[key]) : "");
  switch (name) {
    case "spark_python_task":
      return { sort: "Python file", what: text("python_file") };
    case "notebook_task":
      return { sort: "Notebook", what: text("notebook_path") };
    case "python_wheel_task":
      return { sort: "Python wheel", what: `${text("package_name")}:${text("entry_point")}` };
    case "sql_task":
      return { sort: "SQL", what: (body["file"] as { path?: string } | undefined)?.path ?? "query" };
    case "run_job_task":
      return { sort: "Run job", what: text("job_id") };
    case "condition_task":
      return { sort: "If", what: `${text("left")} ${spoken(text("op")).toLowerCase()} ${text("right")}` };
    case "for_each_task":
      return { sort: "For each", what: text("inputs") };
    default:
      return { sort: spoken(name.replace(/_task$/, "")), what: "" };
  }
}

/** Writes a time that something took, in milliseconds, shortly. */
export function span(ms: number): string {
  if (ms < 1_000) return `${Math.max(0, Math.round(ms))} ms`;
  const seconds = ms / 1_000;
  if (seconds < 60) return `${seconds.toFixed(seconds < 10 ? 1 : 0)} s`;
  const [hours, minutes, rest] = [Math.floor(seconds / 3_600), Math.floor(seconds / 60) % 60, Math.floor(seconds) % 60];
  return hours > 0 ? `${hours} h ${minutes} min` : `${minutes} min ${rest} s`;
}

/** How long a run or a task has taken, or takes by now. */
export function taken(begun: number | undefined, ended: number | undefined, now: number): string {
  if (begun === undefined || begun === 0) return "–";
  return span((ended !== undefined && ended > 0 ? ended : now) - begun);
}

function spoken(word: string): string {
  const text = word.toLowerCase().replaceAll("_", " ");
  return text.charAt(0).toUpperCase() + text.slice(1);
}
