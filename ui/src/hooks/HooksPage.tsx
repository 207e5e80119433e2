import { useState } from "react";
import { Link } from "wouter";
import { useQuery } from "@tanstack/react-query";

import { Chip } from "../kit/Chip";
import { Confirm } from "../kit/Confirm";
import { Empty } from "../kit/Empty";
import { Menu } from "../kit/Menu";
import { Page } from "../kit/Page";
import { Read } from "../kit/Read";
import { useAct } from "../kit/useAct";
import { When } from "../kit/When";
import { hooks, type Hook } from "./api";
import { HookDialog } from "./HookDialog";
import "./hooks.css";

/** Addresses at which requests from outside start flows. */
export default function HooksPage() {
  const all = useQuery({ queryKey: ["hooks"], queryFn: hooks.list, refetchInterval: 5000 });
  const [open, setOpen] = useState<{ name: string | undefined } | null>(null);
  const [asking, setAsking] = useState<{ what: "remove" | "renew"; hook: Hook } | null>(null);
  const { act, busy } = useAct("hooks");
  const confirmed = async () => {
    if (asking === null) return;
    const { name } = asking.hook;
    if (asking.what === "remove") await act(() => hooks.remove(name), `"${name}" is removed`);
    else if ((await act(() => hooks.renew(name), `"${name}" has another address`)) !== null) setOpen({ name });
    setAsking(null);
  };
  return (
    <Page
      title="Webhooks"
      above={[{ name: "Connections", to: "/connections" }]}
      actions={
        <button type="button" className="primary" onClick={() => setOpen({ name: undefined })}>
          Add a webhook
        </button>
      }
    >
      <Read query={all}>
        {(found) =>
          found.length === 0 ? (
            <Empty title="No webhook yet">
              <p>
                A webhook has an address; what is sent there waits until its flow takes it. Add one here, or begin a{" "}
                <Link href="/flows">flow</Link> with Webhook.
              </p>
            </Empty>
          ) : (
            <List all={found} onOpen={(name) => setOpen({ name })} onAsk={(what, hook) => setAsking({ what, hook })} />
          )
        }
      </Read>
      {open !== null && <HookDialog key={open.name ?? "new"} hook={open.name} onClose={() => setOpen(null)} />}
      {asking !== null && (
        <Confirm
          title={asking.what === "remove" ? `Remove "${asking.hook.name}"?` : `Give "${asking.hook.name}" another address?`}
          verb={asking.what === "remove" ? "Remove" : "Give another address"}
          grave
          busy={busy}
          onDo={() => void confirmed()}
          onClose={() => setAsking(null)}
        >
          {asking.what === "remove" ? (
            <p>{asking.hook.waiting === 0 ? "Its address answers 404 from now on." : `${asking.hook.waiting.toLocaleString()} requests that wait are lost with it.`}</p>
          ) : (
            <p>The old address answers 404 at once. Tell the senders the new one.</p>
          )}
        </Confirm>
      )}
    </Page>
  );
}

interface ListProps {
  all: Hook[];
  onOpen: (name: string) => void;
  onAsk: (what: "remove" | "renew", hook: Hook) => void;
}

function List({ all, onOpen, onAsk }: ListProps) {
  return (
    <div className="table-frame" role="region" aria-label="All webhooks" tabIndex={0}>
      <table className="list">
        <thead>
          <tr>
            <th>Name</th>
            <th>State</th>
            <th>Flow</th>
            <th className="amount">Waiting</th>
            <th className="amount">Refused</th>
            <th>Changed</th>
            <th>
              <span className="hooks-unseen">What can be done</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {all.map((hook) => (
            <tr key={hook.name}>
              <td>
                <button type="button" className="hooks-link" onClick={() => onOpen(hook.name)}>
                  {hook.label || hook.name}
                </button>
              </td>
              <td>
                {!hook.enabled ? <Chip>Off</Chip> : hook.learning.state === "listening" ? <Chip tone="warn">Listening</Chip> : <Chip tone="good">Takes requests</Chip>}
              </td>
              <td>{hook.flow === null ? <span className="muted">none yet</span> : <Link href={`/flows/${encodeURIComponent(hook.flow)}`}>{hook.flow}</Link>}</td>
              <td className="amount">{hook.waiting.toLocaleString()}</td>
              <td className="amount">{hook.refused.toLocaleString()}</td>
              <td>
                <When at={hook.updatedAt} />
              </td>
              <td>
                <Menu
                  label={`More to do with ${hook.name}`}
                  trigger="More"
                  items={[
                    { name: "Address and settings", onSelect: () => onOpen(hook.name) },
                    { name: "Give another address", onSelect: () => onAsk("renew", hook) },
                    { name: "Remove", onSelect: () => onAsk("remove", hook) },
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
