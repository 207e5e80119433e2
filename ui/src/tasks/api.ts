// Tasks: what flows ask people.

import { json, type Of } from "../api/client";

export type Task = Of<"TaskWithLink">;

const TASKS = "/api/v1/tasks";
export const listTasks = (all: boolean) => json<Task[]>("GET", `${TASKS}?state=${all ? "all" : "open"}`);
export const readTask = (task: string) => json<Task>("GET", `${TASKS}/${encodeURIComponent(task)}`);
export const answerTask = (task: string, decision: "approve" | "reject", comment: string) =>
  json<Task>("POST", `${TASKS}/${encodeURIComponent(task)}/answer`, { decision, comment });
