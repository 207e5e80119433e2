// All runs: found by flow, status, start, time and text; live.

import { useEffect, useState } from "react";
import { Link, useSearch } from "wouter";
import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { RotateCcw } from "lucide-react";

import { Chip } from "../kit/Chip";
import { Empty } from "../kit/Empty";
import { Page } from "../kit/Page";
import { Problem } from "../kit/Problem";
import { duration, When } from "../kit/When";
import { useAddressValue } from "../kit/address";
import { findRuns, listFlows, type Run } from "./api";
import { useFlowName } from "../flows/useFlowName";
import { askedFor, facetsOf, SINCE, toggled, type Facets } from "./facets";
import { ReplayManyDialog } from "./ReplayManyDialog";
import { Decide, RunMenu } from "./acts";
import { STANDINGS, standingWord, startedWord, STARTS, toneOf } from "./words";
import "./runs.css";
import "./run.css";

const PAGE = 50;
const LOOK_EVERY_MS = 3000;

export default function RunsPage() {
  const facets = facetsOf(useSearch());
  const [again, setAgain] = useState(false);
  // Most who look at runs open one: its page is fetched meanwhile.
  useEffect(() => void import("./RunPage"), []);
  const found = useInfiniteQuery({
    queryKey: ["runs", facets],
    queryFn: ({ pageParam }) => {
      const query = new URLSearchParams({ ...askedFor(facets, Date.now()), limit: String(PAGE) });
      if (pageParam !== null) query.set("before", pageParam);
      return findRuns(query);
    },
    initialPageParam: null as string | null,
    getNextPageParam: (last) => last.next,
    placeholderData: (before) => before,
    // Where no event comes, one sees at least what is under way.
    refetchInterval: (query) => (query.state.data?.pages.some(({ runs }) => runs.some(({ state }) => state === "live")) ? LOOK_EVERY_MS : false),
  });
  const runs = found.data?.pages.flatMap((page) => page.runs) ?? [];
  return (
    <Page
      title="Runs"
      actions={
        <button type="button" disabled={runs.length === 0} onClick={() => setAgain(true)}>
          <RotateCcw aria-hidden="true" size={15} className="runs-icon" /> Run all of these again
        </button>
      }
    >
      <FacetBar facets={facets} />
      {found.error !== null && <Problem error={found.error} onRetry={() => void found.refetch()} />}
      {found.data !== undefined && runs.length === 0 && !found.hasNextPage && <Nothing facets={facets} />}
      {runs.length > 0 && <RunsTable runs={runs} />}
      {found.hasNextPage && (
        <p className="runs-more">
          <button type="button" disabled={found.isFetchingNextPage} onClick={() => void found.fetchNextPage()}>
            {found.isFetchingNextPage ? "Loading …" : "Load more"}
          </button>
        </p>
      )}
      {again && <ReplayManyDialog facets={facets} shown={runs.length} more={found.hasNextPage} onClose={() => setAgain(false)} />}
    </Page>
  );
}

function FacetBar({ facets }: { facets: Facets }) {
  const flows = useQuery({ queryKey: ["flows"], queryFn: listFlows });
  const [, setFlow] = useAddressValue("flow");
  const [, setStatus] = useAddressValue("status");
  const [, setStartedBy] = useAddressValue("startedBy");
  const [, setSince] = useAddressValue("since");
  return (
    <div className="runs-facets" role="search" aria-label="Find runs">
      <SearchText text={facets.text} />
      <select aria-label="Flow" value={facets.flow} onChange={(event) => setFlow(event.target.value)}>
        <option value="">All flows</option>
        {facets.flow !== "" && flows.data?.some(({ key }) => key === facets.flow) !== true && <option value={facets.flow}>{facets.flow}</option>}
        {flows.data?.map(({ key, name }) => (
          <option key={key} value={key}>
            {name}
          </option>
        ))}
      </select>
      <select aria-label="Started by" value={facets.startedBy} onChange={(event) => setStartedBy(event.target.value)}>
        <option value="">Started by anything</option>
        {STARTS.map((by) => (
          <option key={by} value={by}>
            {startedWord(by)}
          </option>
        ))}
      </select>
      <select aria-label="Time" value={facets.since} onChange={(event) => setSince(event.target.value)}>
        <option value="">Any time</option>
        {SINCE.map(({ id, name }) => (
          <option key={id} value={id}>
            {name}
          </option>
        ))}
      </select>
      <div className="runs-statuses" role="group" aria-label="Status">
        {STANDINGS.map((standing) => (
          <button
            key={standing}
            type="button"
            className={`runs-toggle ${toneOf(standing)}`}
            aria-pressed={facets.statuses.includes(standing)}
            onClick={() => setStatus(toggled(facets.statuses, standing))}
          >
            {standingWord(standing)}
          </button>
        ))}
      </div>
    </div>
  );
}

/** Looks when the typing pauses. */
function SearchText({ text }: { text: string }) {
  const [, setText] = useAddressValue("text");
  const [typed, setTyped] = useState(text);
  useEffect(() => setTyped(text), [text]);
  useEffect(() => {
    if (typed === text) return;
    const timer = setTimeout(() => setText(typed), 300);
    return () => clearTimeout(timer);
  }, [typed, text, setText]);
  return <input type="search" aria-label="Text in a run" placeholder="Text in id, reason or data" value={typed} onChange={(event) => setTyped(event.target.value)} />;
}

export function RunsTable({ runs }: { runs: Run[] }) {
  const nameOf = useFlowName();
  return (
    <div className="table-frame">
      <table className="list runs-list">
        <thead>
          <tr>
            <th scope="col">Run</th>
            <th scope="col">Flow</th>
            <th scope="col">Status</th>
            <th scope="col">Started by</th>
            <th scope="col" className="amount">
              Operations
            </th>
            <th scope="col" className="amount">
              Duration
            </th>
            <th scope="col">
              <span className="runs-unseen">What can be done</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {runs.map((run) => (
            <Row key={run.id} run={run} name={nameOf(run.flow)} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Row({ run, name }: { run: Run; name: string }) {
  const { id, flow, status, startedBy, startedAt, durationMs, operationCount, reason, wakesAt } = run;
  return (
    <tr className={status === "held" ? "runs-held" : undefined}>
      <td>
        <Link href={`/runs/${id}`}>
          <When at={startedAt} />
        </Link>
        <div className="runs-small" title={id}>
          {id.slice(-8)}
        </div>
      </td>
      <td>
        <Link href={`/flows/${flow}`}>{name}</Link>
      </td>
      <td className="runs-how">
        <Chip tone={toneOf(status)}>{standingWord(status)}</Chip>
        {reason !== null && <div className="runs-reason">{reason}</div>}
        {status === "sleeping" && wakesAt !== null && (
          <div className="runs-small">
            goes on <When at={wakesAt} as="ago" />
          </div>
        )}
        {status === "held" && <Decide run={run} small />}
      </td>
      <td>{startedWord(startedBy)}</td>
      <td className="amount">{operationCount.toLocaleString()}</td>
      <td className="amount">{durationMs === null ? "–" : duration(durationMs)}</td>
      <td className="amount">
        <RunMenu run={run} />
      </td>
    </tr>
  );
}

function Nothing({ facets }: { facets: Facets }) {
  const asked = Object.keys(askedFor(facets, 0)).length > 0;
  return asked ? (
    <Empty title="No run is like that">
      <p>
        Take a condition away, or <Link href="/runs">see all runs</Link>.
      </p>
    </Empty>
  ) : (
    <Empty title="Nothing has run yet">
      <p>
        Open <Link href="/flows">a flow</Link> and press “Run once”, or activate it so that its start brings runs.
      </p>
    </Empty>
  );
}
