// What became of the cases of a trigger: who was acted on, how long the
// condition held, and how that compares with those on which nobody acted.

import { Link } from "wouter";
import { useQuery } from "@tanstack/react-query";

import { useFlowName } from "../flows/useFlowName";
import { Empty } from "../kit/Empty";
import { Read } from "../kit/Read";
import { When } from "../kit/When";
import { triggers } from "./api";
import { endingWords, groupsOf, outcomesSentence, tookWords, type TriggerEpisode, type TriggerOutcomes } from "./outcomes";

const LOOK_AGAIN_MS = 5000;
const EPISODES = 50;

interface Props {
  model: string;
  trigger: string;
}

export function OutcomesTab({ model, trigger }: Props) {
  const every = { refetchInterval: LOOK_AGAIN_MS };
  const outcomes = useQuery({ queryKey: ["models", model, trigger, "outcomes"], queryFn: () => triggers.outcomes(model, trigger), ...every });
  const episodes = useQuery({ queryKey: ["models", model, trigger, "episodes"], queryFn: () => triggers.episodes(model, trigger, EPISODES), ...every });
  return (
    <Read query={outcomes}>
      {(all) =>
        all.episodes.entered + all.episodes.found === 0 ? (
          <Empty title="No case has satisfied it yet">
            <p>Here it is said of each case whether a flow acted on it, and how long it took until the condition went away.</p>
          </Empty>
        ) : (
          <div className="models-outcomes">
            <p className="models-lead">{outcomesSentence(all)}</p>
            <Compared all={all} />
            <Acted all={all} />
            <Read query={episodes}>{(latest) => <Episodes model={model} latest={latest} />}</Read>
          </div>
        )
      }
    </Read>
  );
}

function Compared({ all }: { all: TriggerOutcomes }) {
  return (
    <>
      <div className="table-frame" role="region" aria-label="Compared" tabIndex={0}>
        <table className="list">
          <thead>
            <tr>
              <th scope="col">Cases</th>
              {["How many", "Went away", "By the loop", "Still there", "Half within", "Nine of ten within"].map((name) => (
                <th key={name} scope="col" className="amount">
                  {name}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {groupsOf(all).map(({ name, title, group }) => (
              <tr key={name}>
                <td title={title}>{name}</td>
                {[group.episodes, group.left, group.leftByChain, group.stillThere].map((count, place) => (
                  <td key={place} className="amount">
                    {count.toLocaleString()}
                  </td>
                ))}
                <td className="amount">{tookWords(group.median)}</td>
                <td className="amount">{tookWords(group.p90)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <p className="muted">
        Times are of the process clock and count whoever is still there for as long as they were watched. The groups were not drawn by lot: a difference may have other reasons.
      </p>
    </>
  );
}

function Acted({ all: { actedOn, flows } }: { all: TriggerOutcomes }) {
  const nameOf = useFlowName();
  const counts: [string, number][] = [
    ["succeeded", actedOn.succeeded],
    ["with warnings", actedOn.warning],
    ["failed", actedOn.failed],
    ["under way", actedOn.underWay],
    ["cancelled", actedOn.cancelled],
    ["too late", actedOn.tooLate],
  ];
  const told = counts.filter(([, count]) => count > 0).map(([word, count]) => `${count.toLocaleString()} ${word}`);
  if (flows.length === 0) {
    return (
      <p>
        No flow listens to it. <Link href="/flows">Make one</Link> that starts with its signal.
      </p>
    );
  }
  return (
    <p>
      {flows.map(({ flow, since }, place) => (
        <span key={flow}>
          {place > 0 && ", "}
          <Link href={`/flows/${flow}`}>{nameOf(flow)}</Link> has listened since <When at={since} />
        </span>
      ))}
      . {told.length === 0 ? "No run has begun with its signals." : `Runs: ${told.join(", ")}.`}
      {actedOn.medianUntilRun !== null && ` Half of them began within ${tookWords(actedOn.medianUntilRun)}.`}
    </p>
  );
}

function Episodes({ model, latest }: { model: string; latest: TriggerEpisode[] }) {
  return (
    <>
      <h2>The latest</h2>
      <div className="table-frame" role="region" aria-label="The latest cases" tabIndex={0}>
        <table className="list">
          <thead>
            <tr>
              <th scope="col">Case</th>
              <th scope="col">Entered</th>
              <th scope="col" className="amount">
                Lasted
              </th>
              <th scope="col">How it ended</th>
              <th scope="col">Runs</th>
            </tr>
          </thead>
          <tbody>
            {latest.map(({ identifier, episode, enteredAt, found, lasted, ending, runs }) => (
              <tr key={`${identifier} ${episode}`}>
                <td>
                  <Link href={`/models/${model}/cases/${encodeURIComponent(identifier)}`}>{identifier}</Link>
                </td>
                <td>{found ? <span className="muted">before it was watched</span> : <When at={enteredAt} />}</td>
                <td className="amount">{tookWords(lasted)}</td>
                <td>{endingWords(ending)}</td>
                <td>
                  {runs.map(({ run, outcome }) => (
                    <Link key={run} href={`/runs/${run}`}>
                      {outcome ?? "under way"}{" "}
                    </Link>
                  ))}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </>
  );
}
