// One run: the flow with its bubbles at a moment, the slider that moves the
// moment, the operations in time, and what each of them was given and gave.

import { useCallback, useEffect, useMemo, useState } from "react";
import { Link, useParams, useSearch } from "wouter";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { RotateCcw, Square } from "lucide-react";

import { ApiError } from "../api/client";
import { listModules } from "../flows/api";
import { useFlowName } from "../flows/useFlowName";
import { Chip } from "../kit/Chip";
import { Empty } from "../kit/Empty";
import { Page } from "../kit/Page";
import { Problem } from "../kit/Problem";
import { Tabs } from "../kit/Tabs";
import { Timed } from "../kit/When";
import { useAddressValue } from "../kit/address";
import { Decide, useCancel } from "./acts";
import { readRun, type RunWhole } from "./api";
import { OperationDetail } from "./OperationDetail";
import { OperationShown } from "./OperationShown";
import { ReplayDialog } from "./ReplayDialog";
import { RunCanvas } from "./RunCanvas";
import { AskedTask, Choices, Facts, Totals } from "./RunParts";
import { useShownRun } from "./shownRun";
import { TimeSlider } from "./TimeSlider";
import { Timeline } from "./Timeline";
import { doneUpTo } from "./totals";
import { ValueTree } from "./Tree";
import { readDocumentAhead, useRunDocument } from "./useRunDocument";
import { standingWord, toneOf } from "./words";
import "./runs.css";
import "./run.css";

const ABOVE = [{ name: "Runs", to: "/runs" }];
const KINDS = { queryKey: ["modules"], queryFn: listModules, staleTime: Infinity };
const LOOK_EVERY_MS = 1000;
const ADDRESS_AFTER_MS = 300;

export default function RunPage() {
  const { run: id } = useParams<{ run: string }>();
  const queries = useQueryClient();
  const run = useQuery({
    queryKey: ["run", id],
    queryFn: () => {
      const before = queries.getQueryData<RunWhole>(["run", id]);
      return readRun(id!, before?.operations, before === undefined ? (head) => readDocumentAhead(queries, head.flow) : undefined);
    },
    refetchInterval: (query) => (query.state.data?.state === "live" ? LOOK_EVERY_MS : false),
  });
  // Wanted soon; it need not wait for the run.
  useQuery(KINDS);
  if (run.data !== undefined) return <Shown key={id} run={run.data} />;
  const gone = run.error instanceof ApiError && run.error.status === 404;
  return (
    <Page title="Run" above={ABOVE}>
      {gone ? (
        <Empty title="There is no such run">
          <p>
            Runs are kept for a time after their end. <Link href="/runs">See all runs</Link>.
          </p>
        </Empty>
      ) : run.error !== null ? (
        <Problem error={run.error} onRetry={() => void run.refetch()} />
      ) : (
        <p className="muted">Loading …</p>
      )}
    </Page>
  );
}

/** Where the slider stands. Nothing chosen means the end, also while the run goes on; the address follows when it rests. */
function usePosition(count: number): [number, (position: number) => void] {
  const inAddress = new URLSearchParams(useSearch()).get("at");
  const [, write] = useAddressValue("at");
  const [chosen, setChosen] = useState<number | null>(inAddress === null ? null : Number(inAddress) || 0);
  useEffect(() => {
    const text = chosen === null || chosen >= count ? null : String(chosen);
    if (text === inAddress || (chosen !== null && chosen >= count && inAddress === String(chosen))) return;
    const timer = setTimeout(() => write(text), ADDRESS_AFTER_MS);
    return () => clearTimeout(timer);
  }, [chosen, inAddress, count, write]);
  return [chosen === null ? count : Math.min(chosen, count), setChosen];
}

function Shown({ run }: { run: RunWhole }) {
  const { operations, status, reason, flow } = run;
  const [position, move] = usePosition(operations.length);
  const [tab, setTab] = useAddressValue("show");
  const [again, setAgain] = useState<"start" | number | null>(null);
  const flowName = useFlowName()(flow);
  const cancel = useCancel();
  const { document, of, gone } = useRunDocument(run);
  const kindsFound = useQuery(KINDS);
  const kinds = useMemo(() => new Map((kindsFound.data ?? []).map((kind) => [kind.name, kind])), [kindsFound.data]);
  const names = useNames(run, document, kinds);
  const nameOf = useCallback((module: number) => names.get(module) ?? `Module ${module}`, [names]);
  const done = useMemo(() => doneUpTo(operations, position, run.inFlight, status === "held"), [operations, position, run.inFlight, status]);
  const operation = position === 0 ? undefined : operations[position - 1];

  useEffect(() => useShownRun.setState({ run, upTo: operations[position - 1]?.number ?? 0 }), [run, operations, position]);
  useEffect(() => () => useShownRun.setState({ run: null, upTo: null }), []);

  // A module that is picked on the canvas leads to what it did last until now, or else first.
  const toModule = useCallback(
    (module: number) => {
      if (operations[position - 1]?.module === module) return;
      const before = operations.findLastIndex((one, place) => one.module === module && place < position);
      const place = before >= 0 ? before : operations.findIndex((one) => one.module === module);
      if (place >= 0) move(place + 1);
    },
    [operations, position, move],
  );
  const choices = useMemo(() => (operation === undefined ? [] : (run.choices ?? []).filter((choice) => choice.after === operation.number)), [run.choices, operation]);

  return (
    <Page
      title={`Run of ${flowName}`}
      above={ABOVE}
      standing={<Chip tone={toneOf(status)}>{standingWord(status)}</Chip>}
      actions={
        <>
          <Link className="button" href={`/flows/${flow}`}>
            Open the flow
          </Link>
          {run.state !== "ended" && (
            <button type="button" disabled={cancel.isPending} onClick={() => cancel.mutate(run.id)}>
              <Square aria-hidden="true" size={14} className="runs-icon" /> Cancel
            </button>
          )}
          <button type="button" className="primary" onClick={() => setAgain("start")}>
            <RotateCcw aria-hidden="true" size={15} className="runs-icon" /> Run again
          </button>
        </>
      }
    >
      <Facts run={run} of={of} />
      <AskedTask run={run} />
      {status === "held" ? <Decide run={run} /> : reason !== null && <p className={status === "error" ? "problem" : "runs-reason"}><Timed text={reason} /></p>}
      {run.note !== undefined && <p className="muted">{run.note}</p>}
      <div className="runs-canvas">
        {document !== null && kindsFound.isFetched ? (
          <RunCanvas key={of} flow={flow} document={document} kinds={kinds} done={done} module={operation?.module ?? null} onModule={toModule} />
        ) : (
          <p className="muted runs-canvas-none">{gone ? "The flow of this run is not there any more. Its operations are below." : "Loading …"}</p>
        )}
      </div>
      <TimeSlider count={operations.length} position={position} onMove={move} />
      <Tabs
        label="What the run did"
        open={tab ?? "operations"}
        onOpen={(id) => setTab(id === "operations" ? null : id)}
        tabs={[
          {
            id: "operations",
            name: "Operations",
            content: (
              <div className="runs-split">
                <Timeline operations={operations} position={position} nameOf={nameOf} onMove={move} />
                <div className="runs-chosen" role="region" aria-label="The chosen operation">
                  {operation === undefined ? (
                    <p className="muted">{operations.length === 0 ? "Nothing was done yet." : "Before the first operation. Step on, or choose one."}</p>
                  ) : (
                    <>
                      <header>
                        <h2>
                          {operation.number}. {nameOf(operation.module)} <code>{run.modules.find(({ module }) => module === operation.module)?.kind}</code>
                        </h2>
                        <button type="button" onClick={() => setAgain(operation.number)}>
                          Run again from here
                        </button>
                      </header>
                      <OperationShown key={operation.number} run={run.id} outline={operation} choices={choices} />
                    </>
                  )}
                  {run.inFlight !== undefined && position >= operations.length && (
                    <p className="runs-note" role="status">
                      {status === "held" ? "Waits for a decision" : "Under way"}: {nameOf(run.inFlight.module)}
                      {run.inFlight.attempt > 1 && `, attempt ${run.inFlight.attempt}`}.
                    </p>
                  )}
                </div>
              </div>
            ),
          },
          { id: "modules", name: "Modules", content: <Totals run={run} nameOf={nameOf} /> },
          { id: "ways", name: `Ways (${run.choices?.length ?? 0})`, content: <Choices choices={run.choices ?? []} nameOf={nameOf} /> },
          { id: "input", name: "Began with", content: <ValueTree title="What the run began with" value={run.input.length === 1 ? run.input[0] : run.input} /> },
          ...(run.late === undefined ? [] : [{ id: "late", name: "Came late", content: <OperationDetail operation={run.late} /> }]),
        ]}
      />
      {again !== null && <ReplayDialog run={run} from={again} nameOf={nameOf} onClose={() => setAgain(null)} />}
    </Page>
  );
}

/** What people call each module: the name that they gave it, that of its kind, or the kind itself. */
function useNames(run: RunWhole, document: ReturnType<typeof useRunDocument>["document"], kinds: Map<string, { label: string }>): Map<number, string> {
  return useMemo(() => {
    const labelOf = (kind: string) => kinds.get(kind)?.label ?? kind.split(":")[1] ?? kind;
    const names = new Map(run.modules.map(({ module, kind }) => [module, labelOf(kind)]));
    const look = (value: unknown): void => {
      if (Array.isArray(value)) value.forEach(look);
      else if (typeof value === "object" && value !== null) {
        const { id, module, metadata } = value as { id?: unknown; module?: unknown; metadata?: { designer?: { name?: string } } };
        const given = metadata?.designer?.name;
        if (typeof id === "number" && typeof module === "string") {
          if (given !== undefined && given !== "") names.set(id, given);
          else if (!names.has(id)) names.set(id, labelOf(module));
          const { flow, routes, branches, onerror } = value as Record<string, unknown>;
          [flow, routes, branches, onerror].forEach(look);
        } else look((value as { flow?: unknown }).flow);
      }
    };
    look(document?.flow);
    return names;
  }, [run.modules, document, kinds]);
}
