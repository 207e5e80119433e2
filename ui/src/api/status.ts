// Who is signed in, and what has happened so far.

import { useQuery } from "@tanstack/react-query";

import { json, type Of } from "./client";

/** Who is signed in. */
export type Me = Of<"Me">;

/** What has happened so far, for the picture of the loop. */
export type Status = Of<"Status">;

export const readMe = () => json<Me>("GET", "/api/v1/me");
export const readStatus = () => json<Status>("GET", "/api/v1/status");

/** What the person who is signed in may do; nothing while that is read. */
export function useMay(): Me["may"] | undefined {
  return useQuery({ queryKey: ["me"], queryFn: readMe, staleTime: 60_000 }).data?.may;
}
