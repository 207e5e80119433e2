// Parts of a run's page: what it is, its modules added up, and its ways.

import { useState } from "react";
import { Link } from "wouter";
import { useQuery } from "@tanstack/react-query";
import { Check, X } from "lucide-react";

import { Empty } from "../kit/Empty";
import { duration, When } from "../kit/When";
import { listTasks } from "../tasks/api";
import type { Choice, RunWhole } from "./api";
import { JudgementShown } from "./OperationDetail";
import { causeOf, choiceWords, startedWord } from "./words";

export function Facts({ run, of }: { run: RunWhole; of: "published" | "draft" | null }) {
  return (
    <dl className="runs-facts-list">
      <div>
        <dt>Started</dt>
        <dd>
          <When at={run.startedAt} />
        </dd>
      </div>
      <div>
        <dt>{run.durationMs === null ? "Goes on" : "Took"}</dt>
        <dd>{run.durationMs !== null ? duration(run.durationMs) : run.status === "held" ? "when you decide" : run.wakesAt !== null ? <When at={run.wakesAt} as="ago" /> : "now"}</dd>
      </div>
      <div>
        <dt>Operations</dt>
        <dd>{run.operationCount.toLocaleString()}</dd>
      </div>
      <div>
        <dt>Version</dt>
        <dd>
          <code title={run.version}>{run.version.slice(0, 8)}</code>
          {of !== null && <span className="runs-small"> drawn on the {of === "draft" ? "draft" : "published version"}</span>}
        </dd>
      </div>
      <div>
        <dt>Id</dt>
        <dd>
          <code>{run.id}</code>
        </dd>
      </div>
      <div>
        <dt>Started by</dt>
        <dd>
          {startedWord(run.startedBy)}
          {run.causes?.flatMap(linksOf).map((link) => {
            const { name, to } = causeOf(link);
            return <div key={link}>{to === null ? name : <Link href={to}>{name}</Link>}</div>;
          })}
        </dd>
      </div>
    </dl>
  );
}

/** A chain of causes is links with arrows between; what is no text is another's way to write it. */
function linksOf(chain: unknown): string[] {
  if (Array.isArray(chain)) return chain.flatMap(linksOf);
  return typeof chain === "string" ? chain.split(" > ").filter((link) => link !== "") : [];
}

/** A run that sleeps because a person is asked says so, and leads there. */
export function AskedTask({ run }: { run: RunWhole }) {
  const tasks = useQuery({ queryKey: ["tasks", "open"], queryFn: () => listTasks(false), enabled: run.status === "sleeping" });
  const asked = run.status === "sleeping" ? tasks.data?.filter((task) => task.run === run.id) : [];
  if (asked === undefined || asked.length === 0) return null;
  return (
    <p className="runs-note" role="status">
      It waits for an answer:{" "}
      {asked.map(({ id, title }) => (
        <Link key={id} href={`/inbox/${id}`}>
          {title === "" ? "a task" : title}
        </Link>
      ))}
    </p>
  );
}

export function Totals({ run, nameOf }: { run: RunWhole; nameOf: (module: number) => string }) {
  if (run.modules.length === 0) return <p className="muted">No module has done anything yet.</p>;
  return (
    <div className="table-frame" role="region" aria-label="What each module did" tabIndex={0}>
      <table className="list">
        <thead>
          <tr>
            <th scope="col">Module</th>
            {["Operations", "Bundles", "Did not pass", "Bad status", "Failed", "Time"].map((name) => (
              <th key={name} scope="col" className="amount">
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {run.modules.map((total) => (
            <tr key={total.module}>
              <td>
                {nameOf(total.module)} <span className="runs-small">{total.module}</span>
              </td>
              {[total.operations, total.bundles, total.filtered, total.warnings, total.errors].map((amount, place) => (
                <td key={place} className="amount">
                  {amount.toLocaleString()}
                </td>
              ))}
              <td className="amount">{duration(total.durationMs)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

const WAYS_AT_ONCE = 100;

export function Choices({ choices, nameOf }: { choices: Choice[]; nameOf: (module: number) => string }) {
  const [count, setCount] = useState(WAYS_AT_ONCE);
  if (choices.length === 0) {
    return (
      <Empty title="No way was chosen">
        <p>Routers, branches and repetitions say here which way each bundle went, and why.</p>
      </Empty>
    );
  }
  return (
    <ol className="runs-ways">
      {choices.slice(0, count).map((choice, place) => (
        <li key={place}>
          <p>
            {choice.taken ? <Check aria-hidden="true" size={15} /> : <X aria-hidden="true" size={15} />}
            <strong>{nameOf(choice.module)}</strong> {choiceWords(choice)}
            {choice.reason !== undefined && <>: {choice.reason}</>}
            <span className="runs-small"> after operation {choice.after}</span>
          </p>
          {choice.filter !== undefined && <JudgementShown judgement={choice.filter} />}
        </li>
      ))}
      {count < choices.length && (
        <li>
          <button type="button" onClick={() => setCount(count + WAYS_AT_ONCE)}>
            Show more
          </button>
        </li>
      )}
    </ol>
  );
}
