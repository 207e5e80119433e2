// The bubble above a module: how many operations, green, yellow or red. A click
// shows each of them.

import { useEffect, useMemo, useState } from "react";
import { Link } from "wouter";
import * as Popover from "@radix-ui/react-popover";
import { ChevronLeft, ChevronRight, CircleHelp, LoaderCircle, X } from "lucide-react";

import type { Done } from "../flows/editor/types";
import { OperationShown } from "./OperationShown";
import { useShownRun } from "./shownRun";
import { operationWord } from "./words";
import "./runs.css";

export function RunBubble({ module, done }: { module: number; done: Done }) {
  const under = done.status === "running" || done.status === "held";
  const idle = done.operations === 0 && !under;
  const count = done.operations === 1 ? "operation" : "operations";
  const how = idle ? "nothing passed" : done.status === "running" ? "running" : done.status === "held" ? "waits for a decision" : operationWord(done.status).toLowerCase();
  // An answer that refuses is red, also where the flow goes on with it.
  const refused = done.statusCode !== null && done.statusCode >= 400;
  const look = idle ? "idle" : refused && !under ? "error" : done.status;
  return (
    <Popover.Root>
      <Popover.Trigger
        className={`runs-bubble nodrag nopan ${look}`}
        onClick={(event) => event.stopPropagation()}
        onPointerDown={(event) => event.stopPropagation()}
        onKeyDown={(event) => event.stopPropagation()}
      >
        {done.status === "running" && <LoaderCircle aria-hidden="true" size={12} className="runs-turning" />}
        {done.status === "held" && <CircleHelp aria-hidden="true" size={12} />}
        <span>
          <span className="runs-unseen">Module {module}: </span>
          {done.operations}
          <span className="runs-unseen">
            {" "}
            {count}, {how}
          </span>
        </span>
        {done.statusCode !== null && (
          <small>
            <span className="runs-unseen">, status </span>
            {done.statusCode}
          </small>
        )}
      </Popover.Trigger>
      <Popover.Portal>
        <Popover.Content
          className="runs-popover"
          sideOffset={8}
          collisionPadding={12}
          aria-label={`What module ${module} did`}
          onKeyDown={(event) => event.key !== "Escape" && event.stopPropagation()}
        >
          <Operations module={module} />
        </Popover.Content>
      </Popover.Portal>
    </Popover.Root>
  );
}

function Operations({ module }: { module: number }) {
  const run = useShownRun((state) => state.run);
  const upTo = useShownRun((state) => state.upTo);
  const operations = useMemo(
    () => (run === null ? [] : run.operations.filter((operation) => operation.module === module && (upTo === null || operation.number <= upTo))),
    [run, module, upTo],
  );
  const last = operations.length - 1;
  const failed = operations.findIndex(({ status }) => status === "error");
  const [at, setAt] = useState(failed >= 0 ? failed : Math.max(0, last));
  useEffect(() => setAt((before) => Math.min(before, Math.max(0, last))), [last]);
  const operation = operations[at];
  const choices = run?.choices?.filter((choice) => choice.module === module && operation !== undefined && choice.after === operation.number) ?? [];
  return (
    <>
      <div className="runs-popover-head">
        <h2>
          Operation {operations.length === 0 ? 0 : at + 1} of {operations.length}
        </h2>
        <button type="button" className="icon" aria-label="Operation before" disabled={at <= 0} onClick={() => setAt(at - 1)}>
          <ChevronLeft aria-hidden="true" size={16} />
        </button>
        <button type="button" className="icon" aria-label="Next operation" disabled={at >= last} onClick={() => setAt(at + 1)}>
          <ChevronRight aria-hidden="true" size={16} />
        </button>
        {run !== null && <Link href={`/runs/${run.id}${operation === undefined ? "" : `?at=${operation.number}`}`}>Open the run</Link>}
        <Popover.Close className="icon" aria-label="Close">
          <X aria-hidden="true" size={16} />
        </Popover.Close>
      </div>
      {run !== null && (
        <p className="runs-id">
          Run <code>{run.id}</code>
        </p>
      )}
      {operation === undefined || run === null ? (
        <p className="muted">It has not finished an operation yet.</p>
      ) : (
        <OperationShown key={operation.number} run={run.id} outline={operation} choices={choices} />
      )}
    </>
  );
}
