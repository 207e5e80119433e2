// Who is signed in, and what has happened so far.

import { json } from "./client";

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

export const readMe = () => json<Me>("GET", "/api/v1/me");
export const readStatus = () => json<Status>("GET", "/api/v1/status");
