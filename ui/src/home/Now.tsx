// What somebody should look at, and what ran last.

import { Link } from "wouter";
import { useQuery } from "@tanstack/react-query";

import { listFlows } from "../flows/api";
import { useFlowName } from "../flows/useFlowName";
import { Chip, type Tone } from "../kit/Chip";
import { When } from "../kit/When";
import { findRuns } from "../runs/api";
import { standingWord, toneOf } from "../runs/words";
import { subscriptions } from "../subscriptions/api";
import { stateInWords, TONES } from "../subscriptions/words";
import { listTasks } from "../tasks/api";

const LATEST = 8;
const LOOK_AGAIN_MS = 5000;
const STOPPED = ["failed", "suspended", "rejected"];

/** What lies below the loop. */
export function Now() {
  return (
    <div className="home-now">
      <Attention />
      <LatestRuns />
    </div>
  );
}

interface Matter {
  key: string;
  word: string;
  tone: Tone;
  what: string;
  to: string;
}

function useMatters(): Matter[] | undefined {
  const every = { refetchInterval: LOOK_AGAIN_MS };
  const held = useQuery({ queryKey: ["runs", "held"], queryFn: () => findRuns(new URLSearchParams({ status: "held", limit: "5" })), ...every });
  const tasks = useQuery({ queryKey: ["tasks", "open"], queryFn: () => listTasks(false), ...every });
  const subscribed = useQuery({ queryKey: ["subscriptions"], queryFn: subscriptions.list, ...every });
  const flows = useQuery({ queryKey: ["flows"], queryFn: listFlows });
  const nameOf = useFlowName();
  if ([held, tasks, subscribed, flows].some(({ isPending }) => isPending)) return undefined;
  return [
    ...(held.data?.runs ?? []).map(({ id, flow }) => ({ key: id, word: "Needs a decision", tone: "warn" as Tone, what: nameOf(flow), to: `/runs/${id}` })),
    ...(flows.data ?? [])
      .filter(({ state }) => state === "switched-off" || state === "paused")
      .map(({ key, name, state }) => ({ key, word: state === "paused" ? "Paused" : "Switched off", tone: "bad" as Tone, what: name, to: `/flows/${key}` })),
    ...(subscribed.data?.content ?? [])
      .filter(({ status }) => STOPPED.includes(status.toLowerCase()))
      .map(({ id, name, status }) => ({ key: id, word: stateInWords(status), tone: TONES[status.toLowerCase()] ?? "bad", what: name, to: `/subscriptions/${id}` })),
    ...(tasks.data ?? []).map(({ id, title }) => ({ key: id, word: "Task", tone: "busy" as Tone, what: title === "" ? "Untitled" : title, to: `/inbox/${id}` })),
  ];
}

function Attention() {
  const matters = useMatters();
  return (
    <section aria-labelledby="attention-title">
      <h2 id="attention-title">Waits for somebody</h2>
      {matters === undefined ? null : matters.length === 0 ? (
        <p className="muted">Nothing. No run, task, flow or subscription needs anybody.</p>
      ) : (
        <ul>
          {matters.map(({ key, word, tone, what, to }) => (
            <li key={key}>
              <Chip tone={tone}>{word}</Chip>
              <Link href={to}>{what}</Link>
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}

function LatestRuns() {
  const found = useQuery({ queryKey: ["runs", "latest"], queryFn: () => findRuns(new URLSearchParams({ limit: String(LATEST) })), refetchInterval: LOOK_AGAIN_MS });
  const nameOf = useFlowName();
  return (
    <section aria-labelledby="latest-title">
      <h2 id="latest-title">Latest runs</h2>
      {found.data?.runs.length === 0 && (
        <p className="muted">
          None yet. Open <Link href="/flows">a flow</Link> and press “Run once”.
        </p>
      )}
      {found.data !== undefined && found.data.runs.length > 0 && (
        <ul>
          {found.data.runs.map(({ id, flow, status, startedAt }) => (
            <li key={id}>
              <Chip tone={toneOf(status)}>{standingWord(status)}</Chip>
              <Link href={`/runs/${id}`}>{nameOf(flow)}</Link>
              <When at={startedAt} as="ago" />
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}
