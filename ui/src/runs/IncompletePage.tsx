// Incomplete executions of a flow: bundles that failed and were stored, so
// that they can go on later.

import { Link, useParams } from "wouter";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { MoreHorizontal } from "lucide-react";

import { Chip } from "../kit/Chip";
import { Dialog } from "../kit/Dialog";
import { Empty } from "../kit/Empty";
import { Menu } from "../kit/Menu";
import { Page } from "../kit/Page";
import { Problem } from "../kit/Problem";
import { Tabs } from "../kit/Tabs";
import { useAddressValue } from "../kit/address";
import { say, warn } from "../kit/toasts";
import { When } from "../kit/When";
import {
  deleteIncomplete,
  listIncomplete,
  readIncomplete,
  resolveIncomplete,
  retryAllIncomplete,
  retryIncomplete,
  type Incomplete,
  type RetryVersion,
} from "./api";
import { useFlowName } from "../flows/useFlowName";
import { ValueTree } from "./Tree";
import "./runs.css";
import "./run.css";

export default function IncompletePage() {
  const { flow } = useParams<{ flow: string }>();
  const [show, setShow] = useAddressValue("show");
  const [id, setId] = useAddressValue("execution");
  const nameOf = useFlowName();
  const open = show !== "all";
  const act = useActs(flow!);
  const listed = useQuery({ queryKey: ["runs", "incomplete", flow, open], queryFn: () => listIncomplete(flow!, open) });
  const content = (
    <>
      {listed.error !== null && <Problem error={listed.error} onRetry={() => void listed.refetch()} />}
      {listed.data?.length === 0 && (
        <Empty title={open ? "Nothing is incomplete" : "Nothing was ever incomplete"}>
          <p>
            When a module of this flow fails and the flow keeps incomplete executions, they wait here to go on. <Link href={`/runs?flow=${flow}`}>See its runs</Link>.
          </p>
        </Empty>
      )}
      {listed.data !== undefined && listed.data.length > 0 && <List listed={listed.data} act={act.mutate} onOpen={setId} />}
    </>
  );
  return (
    <Page
      title="Incomplete executions"
      above={[
        { name: "Flows", to: "/flows" },
        { name: nameOf(flow!), to: `/flows/${flow}` },
      ]}
      actions={
        <button type="button" disabled={!open || (listed.data?.length ?? 0) === 0 || act.isPending} onClick={() => act.mutate({ kind: "retry-all" })}>
          Retry all that are open
        </button>
      }
    >
      <Tabs
        label="Which executions"
        open={open ? "open" : "all"}
        onOpen={(tab) => setShow(tab === "open" ? null : tab)}
        tabs={[
          { id: "open", name: "Open", content },
          { id: "all", name: "All", content },
        ]}
      />
      {id !== null && <Opened flow={flow!} id={id} act={act.mutate} onClose={() => setId(null)} />}
    </Page>
  );
}

type Act = { kind: "retry-all" } | { kind: "retry"; id: string; version: RetryVersion } | { kind: "resolve" | "delete"; id: string };

function useActs(flow: string) {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: async (act: Act): Promise<string> => {
      switch (act.kind) {
        case "retry-all":
          await retryAllIncomplete(flow, "same");
          return "They go on.";
        case "retry":
          await retryIncomplete(flow, act.id, act.version);
          return "It goes on in a run of its own.";
        case "resolve":
          await resolveIncomplete(flow, act.id);
          return "It counts as done.";
        case "delete":
          await deleteIncomplete(flow, act.id);
          return "It was deleted.";
      }
    },
    onSuccess: say,
    onError: warn,
    onSettled: () => void queries.invalidateQueries({ queryKey: ["runs"] }),
  });
}

function List({ listed, act, onOpen }: { listed: Incomplete[]; act: (act: Act) => void; onOpen: (id: string) => void }) {
  return (
    <div className="table-frame">
      <table className="list">
        <thead>
          <tr>
            <th scope="col">Failed</th>
            <th scope="col">Why</th>
            <th scope="col">Run</th>
            <th scope="col">State</th>
            <th scope="col" className="amount">
              Attempts
            </th>
            <th scope="col">
              <span className="runs-unseen">What can be done</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {listed.map((one) => (
            <tr key={one.id}>
              <td>
                <button type="button" className="runs-link" onClick={() => onOpen(one.id)}>
                  <When at={one.createdAt} />
                </button>
                <div className="runs-small">module {one.module}</div>
              </td>
              <td className="runs-how">
                <div className="runs-reason">{one.reason}</div>
                <div className="runs-small">{one.class}</div>
              </td>
              <td>
                <Link href={`/runs/${one.run}`}>{one.run.slice(-8)}</Link>
                {one.retryRun !== null && (
                  <div>
                    <Link href={`/runs/${one.retryRun}`}>Last attempt</Link>
                  </div>
                )}
              </td>
              <td>
                <Chip tone={one.state === "open" ? "warn" : one.state === "resolved" ? "good" : "plain"}>{one.state.charAt(0).toUpperCase() + one.state.slice(1)}</Chip>
                {one.retryAt !== null && (
                  <div className="runs-small">
                    again <When at={one.retryAt} as="ago" />
                  </div>
                )}
              </td>
              <td className="amount">{one.attempts}</td>
              <td className="amount">
                <Menu
                  label="What can be done with this execution"
                  trigger={<MoreHorizontal aria-hidden="true" size={16} />}
                  items={[
                    { name: "Retry", onSelect: () => act({ kind: "retry", id: one.id, version: "same" }) },
                    { name: "Retry with the published version", onSelect: () => act({ kind: "retry", id: one.id, version: "published" }) },
                    { name: "Retry with the draft", onSelect: () => act({ kind: "retry", id: one.id, version: "draft" }) },
                    { name: "Mark as resolved", onSelect: () => act({ kind: "resolve", id: one.id }) },
                    { name: "Delete", grave: true, onSelect: () => act({ kind: "delete", id: one.id }) },
                  ]}
                />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Opened({ flow, id, act, onClose }: { flow: string; id: string; act: (act: Act) => void; onClose: () => void }) {
  const one = useQuery({ queryKey: ["runs", "incomplete", flow, "one", id], queryFn: () => readIncomplete(flow, id) });
  const and = (what: Act) => {
    act(what);
    onClose();
  };
  return (
    <Dialog
      wide
      title="Incomplete execution"
      onClose={onClose}
      actions={
        <>
          <button type="button" className="grave" onClick={() => and({ kind: "delete", id })}>
            Delete
          </button>
          <button type="button" onClick={() => and({ kind: "resolve", id })}>
            Mark as resolved
          </button>
          <button type="button" className="primary" onClick={() => and({ kind: "retry", id, version: "same" })}>
            Retry
          </button>
        </>
      }
    >
      {one.error !== null && <Problem error={one.error} />}
      {one.data !== undefined && (
        <>
          <p className="problem">{one.data.reason}</p>
          <ValueTree title="Bundles by module" value={one.data.bundles} />
        </>
      )}
    </Dialog>
  );
}
