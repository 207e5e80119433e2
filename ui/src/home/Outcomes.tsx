// What came of it: for each flow that listens to a trigger, what became of the cases.

import { Link } from "wouter";
import { useQueries, useQuery } from "@tanstack/react-query";

import { listFlows } from "../flows/api";
import { readFlowOutcomes } from "../models/api";
import { outcomesSentence, tookWords } from "../models/outcomes";

const LOOK_AGAIN_MS = 10_000;
/** Flows that are asked; who has more looks at the triggers. */
const FLOWS_MAX = 12;

export function Outcomes() {
  const flows = useQuery({ queryKey: ["flows"], queryFn: listFlows });
  const active = (flows.data ?? []).filter(({ state }) => state === "active").slice(0, FLOWS_MAX);
  const found = useQueries({
    queries: active.map(({ key }) => ({ queryKey: ["flow", key, "outcomes"], queryFn: () => readFlowOutcomes(key), refetchInterval: LOOK_AGAIN_MS })),
  });
  const told = found.flatMap(({ data }) => (data?.triggers ?? []).map((outcomes) => ({ flow: data!.flow, outcomes })));
  if (told.length === 0) return null;
  const nameOf = new Map(active.map(({ key, name }) => [key, name]));
  return (
    <section aria-labelledby="outcomes-title" className="home-now home-outcomes">
      <h2 id="outcomes-title">What became of the cases</h2>
      <ul>
        {told.map(({ flow, outcomes }) => {
          const { model, trigger, compared } = outcomes;
          const [with_, without] = [compared.actedOn.median, compared.notActedOn.median ?? compared.before.median];
          return (
            <li key={`${flow} ${model} ${trigger}`}>
              <Link href={`/models/${model}/triggers/${trigger}?tab=outcomes`}>{nameOf.get(flow) ?? flow}</Link>
              <span>
                {outcomesSentence(outcomes)}
                {with_ !== null && ` Half of those acted on went away within ${tookWords(with_)}`}
                {with_ !== null && (without === null ? "." : `, of the others within ${tookWords(without)}.`)}
              </span>
            </li>
          );
        })}
      </ul>
    </section>
  );
}
