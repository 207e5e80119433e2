// Calls of our own API. An answer that is not 2xx becomes an `ApiError` with
// the server's own words, which are written for people.

import { authorization } from "./session";

export class ApiError extends Error {
  constructor(
    readonly status: number,
    message: string,
    readonly code: string | null,
  ) {
    super(message);
  }
}

/** Who is signed in. */
export interface Me {
  id: string;
  name: string;
  administrator: boolean;
}

/** What has happened so far, for the picture of the loop. */
export interface Status {
  pools: number;
  rowsIn: number;
  casesOpen: number;
  signals: number;
  deliveries: { succeeded: number; failed: number; queued: number };
  runs: { running: number; succeeded: number; warning: number; failed: number };
  jobRuns: { running: number; succeeded: number; failed: number };
  at: string;
}

export const readMe = () => get<Me>("/api/v1/me");
export const readStatus = () => get<Status>("/api/v1/status");

async function get<T>(path: string): Promise<T> {
  const header = authorization();
  const headers: Record<string, string> = { accept: "application/json" };
  if (header !== null) headers["authorization"] = header;
  let answer: Response;
  try {
    answer = await fetch(path, { headers });
  } catch {
    throw new ApiError(0, "The server does not answer. Is it running?", null);
  }
  if (!answer.ok) throw await errorOf(answer);
  return (await answer.json()) as T;
}

async function errorOf(answer: Response): Promise<ApiError> {
  try {
    const problem = (await answer.json()) as { detail?: string; title?: string; code?: string };
    const words = problem.detail ?? problem.title ?? answer.statusText;
    return new ApiError(answer.status, words, problem.code ?? null);
  } catch {
    return new ApiError(answer.status, answer.statusText || `status ${answer.status}`, null);
  }
}
