// What the server tells as it happens: server-sent events, read by `fetch`
// because an `EventSource` cannot say who it is.

import { useEffect } from "react";
import { useQueryClient } from "@tanstack/react-query";

import { authorization } from "../session";

/** One thing that happened. */
export interface Happened {
  /** `run`, `flow`, `push-job`, `subscription`, `task`; `hello` first; `missed` if the reader fell behind. */
  kind: string;
  data: Record<string, unknown>;
}

const PAUSE_MS = [500, 1000, 2000, 5000, 15000];

/**
 * Listens until the signal says stop; connects again when the connection ends.
 * After a break `missed` is told, since nobody knows what happened meanwhile.
 */
export async function listen(topics: string[], heard: (happened: Happened) => void, signal: AbortSignal): Promise<void> {
  let failures = 0;
  let before = false;
  while (!signal.aborted) {
    try {
      const headers: Record<string, string> = { accept: "text/event-stream" };
      const header = authorization();
      if (header !== null) headers["authorization"] = header;
      const response = await fetch(`/api/v1/stream?topics=${topics.join(",")}`, { headers, signal });
      if (response.status === 401 || response.status === 403 || response.status === 404) return;
      if (!response.ok || response.body === null) throw new Error(`status ${response.status}`);
      if (before) heard({ kind: "missed", data: {} });
      [before, failures] = [true, 0];
      await read(response.body, heard);
    } catch {
      if (signal.aborted) return;
      failures += 1;
    }
    const pause = PAUSE_MS[Math.min(failures, PAUSE_MS.length - 1)]!;
    await new Promise((wake) => setTimeout(wake, pause));
  }
}

async function read(body: ReadableStream<Uint8Array>, heard: (happened: Happened) => void): Promise<void> {
  const reader = body.pipeThrough(new TextDecoderStream() as unknown as TransformStream<Uint8Array, string>).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    rest += value;
    const blocks = rest.split("\n\n");
    rest = blocks.pop() ?? "";
    for (const block of blocks) {
      const happened = eventOf(block);
      if (happened !== null) heard(happened);
    }
  }
}

/** Reads one block of an event stream; a comment is no event. */
export function eventOf(block: string): Happened | null {
  let kind = "message";
  const lines: string[] = [];
  for (const line of block.split("\n")) {
    if (line.startsWith("event:")) kind = line.slice(6).trim();
    if (line.startsWith("data:")) lines.push(line.slice(5).trimStart());
  }
  if (lines.length === 0) return null;
  try {
    return { kind, data: JSON.parse(lines.join("\n")) as Record<string, unknown> };
  } catch {
    return null;
  }
}

/** Calls back on each event while the component is there. `heard` has to be stable. */
export function useStream(topics: string[], heard: (happened: Happened) => void): void {
  const key = topics.join(",");
  useEffect(() => {
    const stop = new AbortController();
    void listen(key.split(","), heard, stop.signal);
    return () => stop.abort();
  }, [key, heard]);
}

/** Which queries an event makes stale, by the first part of their keys. */
const STALE: Record<string, string[]> = {
  run: ["runs", "run", "status", "pages"],
  flow: ["flows", "flow"],
  "push-job": ["push-jobs", "tables", "status"],
  subscription: ["subscriptions"],
  task: ["tasks"],
};

/** Keeps everything on the page current: what an event concerns is read anew, at most twice a second. */
export function useLiveQueries(topics: string[]): void {
  const queries = useQueryClient();
  const key = topics.join(",");
  useEffect(() => {
    const stop = new AbortController();
    const stale = new Set<string>();
    let timer: ReturnType<typeof setTimeout> | null = null;
    const flush = () => {
      timer = null;
      const parts = [...stale];
      stale.clear();
      void queries.invalidateQueries({ predicate: (query) => parts.includes(String(query.queryKey[0])) });
    };
    const heard = ({ kind }: Happened) => {
      const parts = kind === "missed" ? Object.values(STALE).flat() : (STALE[kind] ?? []);
      parts.forEach((part) => stale.add(part));
      if (stale.size > 0 && timer === null) timer = setTimeout(flush, 500);
    };
    void listen(key.split(","), heard, stop.signal);
    return () => {
      stop.abort();
      if (timer !== null) clearTimeout(timer);
    };
  }, [queries, key]);
}
