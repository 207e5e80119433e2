import { Link } from "wouter";
import { useQuery } from "@tanstack/react-query";

import { Chip } from "../kit/Chip";
import { Empty } from "../kit/Empty";
import { Read } from "../kit/Read";
import { When } from "../kit/When";
import { models } from "./api";

const STATES: Record<string, string> = { followed: "Followed", detached: "Set aside", notLoaded: "Not loaded" };

/** How the published triggers stand. */
export function TriggersTab({ model, published }: { model: string; published: boolean }) {
  const state = useQuery({ queryKey: ["models", model, "state"], queryFn: () => models.state(model), refetchInterval: 2000, enabled: published });
  const notices = useQuery({ queryKey: ["models", model, "notices"], queryFn: () => models.notices(model), enabled: published });
  if (!published) {
    return (
      <Empty title="Nothing is published yet">
        <p>
          Triggers fire once the model is published: open the <Link href={`/models/${model}?tab=draft`}>draft</Link>, check and publish it.
        </p>
      </Empty>
    );
  }
  return (
    <Read query={state}>
      {(shown) => (
        <>
          <p className="models-lead">
            <Chip tone={shown.reason ? "warn" : "good"}>{STATES[shown.state] ?? shown.state}</Chip> {shown.reason} Process clock: <When at={shown.now} />, evaluated
            through commit {shown.commit} of {shown.head}.
            {shown.nextDeadline && (
              <>
                {" "}
                Next deadline: <When at={shown.nextDeadline} />.
              </>
            )}
          </p>
          {(notices.data ?? []).map(({ detail, line, path }) => (
            <p key={`${path}/${line}`} className="models-notice">
              Line {line}, {path}: {detail}
            </p>
          ))}
          <div className="table-frame">
            <table className="list">
              <thead>
                <tr>
                  <th>Trigger</th>
                  <th>Record</th>
                  <th className="amount">Match now</th>
                  <th className="amount">Fired</th>
                  <th className="amount">Held</th>
                  <th>Evaluated</th>
                  <th>Next deadline</th>
                </tr>
              </thead>
              <tbody>
                {shown.triggers.map((trigger) => (
                  <tr key={trigger.id}>
                    <td>
                      <Link href={`/models/${model}/triggers/${trigger.id}`}>{trigger.name}</Link> {trigger.shadow && <Chip>Shadow</Chip>}
                      <div className="models-id">{trigger.id}</div>
                    </td>
                    <td>{trigger.record}</td>
                    <td className="amount">{trigger.matched.toLocaleString()}</td>
                    <td className="amount">{trigger.fired.toLocaleString()}</td>
                    <td className="amount">{trigger.held.toLocaleString()}</td>
                    <td className="models-cadence">{trigger.cadence}</td>
                    <td>{trigger.nextDeadline ? <When at={trigger.nextDeadline} /> : "none"}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        </>
      )}
    </Read>
  );
}
