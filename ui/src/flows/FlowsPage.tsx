// All flows: how each stands, what it did last, when it starts next.

import { useMemo } from "react";
import { Link } from "wouter";
import { useQuery } from "@tanstack/react-query";
import { Plus, Upload } from "lucide-react";

import { useMay } from "../api/status";
import { useAddressValue } from "../kit/address";
import { Chip, type Tone } from "../kit/Chip";
import { Empty } from "../kit/Empty";
import { Page } from "../kit/Page";
import { Problem } from "../kit/Problem";
import { When } from "../kit/When";
import { lastRuns, listFlows, type FlowShown, type RunShown } from "./api";
import { ImportDialog } from "./ImportDialog";
import { NewFlowDialog } from "./NewFlowDialog";
import "./flows.css";

const RUNS_MAX = 8;

const STATES: Record<string, [string, Tone]> = {
  active: ["Active", "good"],
  inactive: ["Inactive", "plain"],
  paused: ["Paused", "warn"],
  "switched-off": ["Switched off", "bad"],
};

export default function FlowsPage() {
  const flows = useQuery({ queryKey: ["flows"], queryFn: listFlows });
  const runs = useQuery({ queryKey: ["runs", "last of flows"], queryFn: lastRuns });
  const may = useMay();
  const [text, setText] = useAddressValue("search");
  const [inPackage, setInPackage] = useAddressValue("package");
  const [state, setState] = useAddressValue("state");
  const [open, setOpen] = useAddressValue("open");
  const byFlow = useMemo(() => grouped(runs.data ?? []), [runs.data]);
  const all = flows.data ?? [];
  const packages = [...new Set(all.map((flow) => flow.package).filter((name) => name !== undefined))].sort();
  const shown = all.filter((flow) => fits(flow, text ?? "", inPackage, state));

  return (
    <Page
      title="Flows"
      actions={may?.editFlows === true &&
        <>
          <button type="button" className="with-icon" onClick={() => setOpen("import")}>
            <Upload aria-hidden="true" size={16} /> Import
          </button>
          <button type="button" className="primary with-icon" onClick={() => setOpen("new")}>
            <Plus aria-hidden="true" size={16} /> New flow
          </button>
        </>
      }
    >
      {flows.error !== null && <Problem error={flows.error} onRetry={() => void flows.refetch()} />}
      {flows.data !== undefined && all.length === 0 && (
        <Empty title="There is no flow yet">
          <p>
            A flow starts when something happens, and does what follows from it: calls a program, waits, decides, writes back. Make one from
            scratch or from a template, or import a blueprint.
            {may?.editFlows === false && " Making flows needs the right “Change flows”; whoever manages app keys gives it."}
          </p>
          {may?.editFlows === true && <div className="actions flows-empty">
            <button type="button" className="primary" onClick={() => setOpen("new")}>
              New flow
            </button>
            <button type="button" onClick={() => setOpen("import")}>
              Import
            </button>
          </div>}
        </Empty>
      )}
      {all.length > 0 && (
        <>
          <div className="flows-filter" role="search">
            <input type="search" aria-label="Search flows" placeholder="Search by name or key" value={text ?? ""} onChange={(event) => setText(event.target.value)} />
            <select aria-label="State" value={state ?? ""} onChange={(event) => setState(event.target.value)}>
              <option value="">Every state</option>
              {Object.entries(STATES).map(([id, [name]]) => (
                <option key={id} value={id}>
                  {name}
                </option>
              ))}
            </select>
            {packages.length > 0 && (
              <select aria-label="Package" value={inPackage ?? ""} onChange={(event) => setInPackage(event.target.value)}>
                <option value="">Every package</option>
                {packages.map((name) => (
                  <option key={name} value={name}>
                    {name}
                  </option>
                ))}
              </select>
            )}
            <span className="muted" role="status">
              {shown.length === all.length ? `${all.length} ${all.length === 1 ? "flow" : "flows"}` : `${shown.length} of ${all.length} flows`}
            </span>
          </div>
          {shown.length === 0 ? (
            <Empty title="No flow fits">
              <p>
                <button
                  type="button"
                  onClick={() => {
                    setText(null);
                    setState(null);
                    setInPackage(null);
                  }}
                >
                  Show all flows
                </button>
              </p>
            </Empty>
          ) : (
            <FlowTable flows={shown} runs={byFlow} packaged={packages.length > 0} starts={may?.runFlows === true} />
          )}
        </>
      )}
      {open === "new" && <NewFlowDialog onClose={() => setOpen(null)} />}
      {open === "import" && <ImportDialog onClose={() => setOpen(null)} />}
    </Page>
  );
}

interface TableProps {
  flows: FlowShown[];
  runs: Map<string, RunShown[]>;
  packaged: boolean;
  /** The reader may start flows by hand. */
  starts: boolean;
}

function FlowTable({ flows, runs, packaged, starts }: TableProps) {
  return (
    <div className="table-frame" tabIndex={0} role="region" aria-label="List of flows">
      <table className="list flows-list">
        <thead>
          <tr>
            <th scope="col">Name</th>
            {packaged && <th scope="col">Package</th>}
            <th scope="col">State</th>
            <th scope="col">Version</th>
            <th scope="col">Last runs</th>
            <th scope="col">Next start</th>
            <th scope="col" className="amount">
              Waiting
            </th>
            <th scope="col">Changed</th>
            {starts && (
              <th scope="col">
                <span className="unseen">Start</span>
              </th>
            )}
          </tr>
        </thead>
        <tbody>
          {flows.map((flow) => (
            <tr key={flow.key}>
              <td>
                <Link href={`/flows/${encodeURIComponent(flow.key)}`} className="flows-name">
                  {flow.name}
                </Link>
                <small className="muted">{flow.key}</small>
              </td>
              {packaged && <td>{flow.package ?? ""}</td>}
              <td>
                <State flow={flow} />
              </td>
              <td>
                {flow.version === null ? (
                  <span className="muted">Draft only</span>
                ) : (
                  <>
                    {flow.version}
                    {flow.draftAhead && <span className="muted"> · draft ahead</span>}
                  </>
                )}
              </td>
              <td>
                <LastRuns flow={flow} runs={runs.get(flow.key) ?? []} />
              </td>
              <td>{flow.nextAt === null ? <span className="muted">–</span> : <When at={flow.nextAt} as="ago" />}</td>
              <td className="amount">{flow.waiting === 0 ? <span className="muted">0</span> : flow.waiting.toLocaleString()}</td>
              <td>
                <When at={flow.updatedAt} as="ago" />
              </td>
              {starts && (
                <td>
                  {flow.version !== null && (
                    <Link href={`/flows/${encodeURIComponent(flow.key)}/run`} className="button flows-start" aria-label={`Run ${flow.name}`}>
                      Run
                    </Link>
                  )}
                </td>
              )}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function State({ flow }: { flow: FlowShown }) {
  const [name, tone] = STATES[flow.state] ?? [flow.state, "plain"];
  const why = flow.paused ?? flow.switchedOff;
  return (
    <>
      <Chip tone={tone}>{name}</Chip>
      {why !== undefined && <p className="flows-why">{why}</p>}
    </>
  );
}

const TONES: Record<string, string> = { success: "good", warning: "warn", error: "bad", running: "busy", sleeping: "busy", held: "busy" };

/** A mark for each of the last runs, the newest at the right. */
function LastRuns({ flow, runs }: { flow: FlowShown; runs: RunShown[] }) {
  if (runs.length === 0) return <span className="muted">None yet</span>;
  const said = runs.map(({ status }) => status).join(", ");
  return (
    <Link href={`/runs?flow=${encodeURIComponent(flow.key)}`} className="flows-runs" aria-label={`Last runs of ${flow.name}, the newest first: ${said}`}>
      {[...runs].reverse().map((run) => (
        <span key={run.id} className={`flows-run ${TONES[run.status] ?? ""}`} title={run.status} />
      ))}
    </Link>
  );
}

function grouped(runs: RunShown[]): Map<string, RunShown[]> {
  const map = new Map<string, RunShown[]>();
  for (const run of runs) {
    const list = map.get(run.flow) ?? [];
    if (list.length < RUNS_MAX) map.set(run.flow, [...list, run]);
  }
  return map;
}

function fits(flow: FlowShown, text: string, inPackage: string | null, state: string | null): boolean {
  const wanted = text.trim().toLowerCase();
  if (inPackage !== null && flow.package !== inPackage) return false;
  if (state !== null && flow.state !== state) return false;
  return wanted === "" || flow.name.toLowerCase().includes(wanted) || flow.key.toLowerCase().includes(wanted);
}
