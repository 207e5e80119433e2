// The run button: a form for whoever starts a flow without opening its editor,
// and what came of it.

import { useState } from "react";
import { Link, useParams } from "wouter";
import { useQuery } from "@tanstack/react-query";

import { Chip } from "../kit/Chip";
import { Page } from "../kit/Page";
import { Problem } from "../kit/Problem";
import { useAddressValue } from "../kit/address";
import { readFlow, readForm, readRun, startRun } from "./api";
import { useOperation } from "./OperationShown";
import { RunForm } from "./RunForm";
import { AskedTask } from "./RunParts";
import { ValueTree } from "./Tree";
import { heldWords, standingWord, toneOf } from "./words";
import "./runs.css";
import "./run.css";

export default function RunFlowPage() {
  const { flow } = useParams<{ flow: string }>();
  const about = useQuery({ queryKey: ["flow", flow, "brief"], queryFn: () => readFlow(flow!) });
  const form = useQuery({ queryKey: ["flow", flow, "form"], queryFn: () => readForm(flow!) });
  const [run, setRun] = useAddressValue("run");
  const [fresh, setFresh] = useState(0);
  const error = about.error ?? form.error;
  const name = about.data?.name ?? flow!;
  return (
    <Page
      title={`Run ${name}`}
      above={[
        { name: "Flows", to: "/flows" },
        { name, to: `/flows/${flow}` },
      ]}
    >
      {error !== null && <Problem error={error} onRetry={() => void form.refetch()} />}
      {run !== null ? (
        <Progress
          run={run}
          onAgain={() => {
            setRun(null);
            setFresh(fresh + 1);
          }}
        />
      ) : (
        form.data !== undefined && (
          <RunForm key={fresh} schema={form.data} onStart={async (input) => setRun((await startRun(flow!, { input })).id)} startName="Run" />
        )
      )}
    </Page>
  );
}

function Progress({ run: id, onAgain }: { run: string; onAgain: () => void }) {
  const run = useQuery({
    queryKey: ["run", id],
    queryFn: () => readRun(id),
    refetchInterval: (query) => (query.state.data === undefined || query.state.data.state === "live" ? 1000 : false),
  });
  if (run.error !== null) return <Problem error={run.error} onRetry={() => void run.refetch()} />;
  const shown = run.data;
  const isOver = shown?.state === "ended";
  const last = useOperation(id, isOver ? shown.operations.findLast(({ status }) => status !== "filtered")?.number : undefined).data;
  return (
    <div className="runs-progress">
      <p role="status">
        {shown === undefined ? (
          "Starting …"
        ) : (
          <>
            <Chip tone={toneOf(shown.status)}>{standingWord(shown.status)}</Chip> {shown.operationCount.toLocaleString()}{" "}
            {shown.operationCount === 1 ? "operation" : "operations"} so far
          </>
        )}
      </p>
      {shown?.status === "held" ? <p>{heldWords(shown)}</p> : shown?.reason != null && <p className={shown.status === "error" ? "problem" : undefined}>{shown.reason}</p>}
      {shown !== undefined && <AskedTask run={shown} />}
      {last !== undefined && last.output.length > 0 && <ValueTree title="Result" value={last.output.length === 1 ? last.output[0] : last.output} />}
      <div className="actions">
        <Link className="button" href={`/runs/${id}`}>
          See what it did
        </Link>
        <button type="button" onClick={onAgain}>
          Run another
        </button>
      </div>
    </div>
  );
}
