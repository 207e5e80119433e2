// A run on its way, for whoever started it.

import { Link } from "wouter";
import { useQuery } from "@tanstack/react-query";

import { Chip } from "../kit/Chip";
import { Problem } from "../kit/Problem";
import { readRun } from "./api";
import { useOperation } from "./OperationShown";
import { AskedTask } from "./RunParts";
import { ValueTree } from "./Tree";
import { heldWords, standingWord, toneOf } from "./words";
import "./runs.css";
import "./run.css";

/** What a run has come to, and the ways on from it. */
export function RunProgress({ run: id, onAgain }: { run: string; onAgain: () => void }) {
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
            {shown.operationCount === 1 ? "operation" : "operations"}
            {!isOver && " so far"}
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
