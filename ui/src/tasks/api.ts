// Tasks: what flows ask people.

import { json } from "../api/client";

export interface Task {
  id: string;
  state: "open" | "answered" | "withdrawn";
  title: string;
  text: string;
  fields: { name: string; value: string }[];
  assignee: string;
  deadline: string | null;
  otherwise: string;
  flow: string;
  run: string;
  module: number;
  createdAt: string;
  decision: string | null;
  comment: string | null;
  answeredBy: string | null;
  answeredAt: string | null;
  /** For whoever may answer: the address at which anybody may. */
  link?: string;
}

const TASKS = "/api/v1/tasks";
export const listTasks = (all: boolean) => json<Task[]>("GET", `${TASKS}?state=${all ? "all" : "open"}`);
export const readTask = (task: string) => json<Task>("GET", `${TASKS}/${encodeURIComponent(task)}`);
export const answerTask = (task: string, decision: "approve" | "reject", comment: string) =>
  json<Task>("POST", `${TASKS}/${encodeURIComponent(task)}/answer`, { decision, comment });
