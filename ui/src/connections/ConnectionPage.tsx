// One connection: whether it works, who names it, and what was called with it.

import { useState } from "react";
import { Link, useLocation, useParams } from "wouter";
import { useQuery } from "@tanstack/react-query";

import { ApiError } from "../api/client";
import { Chip } from "../kit/Chip";
import { Confirm } from "../kit/Confirm";
import { Empty } from "../kit/Empty";
import { Page } from "../kit/Page";
import { Read } from "../kit/Read";
import { useAct } from "../kit/useAct";
import { When } from "../kit/When";
import { connections, type Call, type Tested, type Use } from "./api";
import { ConnectionDialog } from "./ConnectionDialog";
import { kindOf } from "./kinds";
import "./connections.css";

const ABOVE = [{ name: "Connections", to: "/connections" }];

export default function ConnectionPage() {
  const { connection } = useParams<{ connection: string }>();
  const name = decodeURIComponent(connection!);
  const [, goTo] = useLocation();
  const found = useQuery({ queryKey: ["connections", name], queryFn: () => connections.show(name) });
  const isDatabricks = found.data?.kind.startsWith("databricks") === true || name === "local-workspace";
  const calls = useQuery({ queryKey: ["connections", name, "calls"], queryFn: () => connections.calls(name), enabled: isDatabricks });
  const [asking, setAsking] = useState<"edit" | "remove" | null>(null);
  const { act, busy } = useAct("connections");
  const remove = async () => {
    const done = await act(async () => {
      await connections.remove(name);
      return true;
    }, `"${name}" is removed`);
    setAsking(null);
    if (done !== null) goTo("/connections");
  };
  if (found.error instanceof ApiError && found.error.status === 404) {
    return (
      <Page title={name} above={ABOVE}>
        <Empty title="There is no such connection">
          <p>
            <Link href="/connections">See all connections</Link>.
          </p>
        </Empty>
      </Page>
    );
  }
  const isOurs = found.data?.builtIn === true;
  return (
    <Page
      title={name}
      above={ABOVE}
      standing={found.data === undefined ? undefined : <Chip>{kindOf(found.data.kind)?.label ?? found.data.kind}</Chip>}
      actions={
        isOurs || found.data === undefined ? undefined : (
          <>
            <button type="button" onClick={() => setAsking("edit")}>
              Set anew
            </button>
            <button type="button" className="grave" onClick={() => setAsking("remove")}>
              Remove
            </button>
          </>
        )
      }
    >
      <Read query={found}>
        {(one) => (
          <>
            {one.warning !== undefined && (
              <p className="connections-warning" role="status">
                {one.warning}
              </p>
            )}
            <dl className="connections-facts">
              <div>
                <dt>Where it may go</dt>
                <dd>{one.origin ?? (isOurs ? "Our own listeners, with the rights of whoever published the flow" : "Where the flow says")}</dd>
              </div>
              <div>
                <dt>Ends</dt>
                <dd>{one.expiresAt === null ? "Never" : <When at={one.expiresAt} />}</dd>
              </div>
              {!isOurs && (
                <div>
                  <dt>Changed</dt>
                  <dd>
                    <When at={one.updatedAt} />
                  </dd>
                </div>
              )}
              {(one.importedIds ?? []).length > 0 && (
                <div>
                  <dt>Stands for</dt>
                  <dd>{one.importedIds!.join(", ")}</dd>
                </div>
              )}
            </dl>
            <Try name={name} origin={one.origin} needsUrl={one.origin === null && !isOurs && ["bearer", "basic", "app-key", "header", "query", "oauth-client-credentials", "client-certificate"].includes(one.kind)} />
            <Uses uses={one.uses} />
          </>
        )}
      </Read>
      {calls.data !== undefined && <Calls calls={calls.data} />}
      {asking === "edit" && found.data !== undefined && <ConnectionDialog connection={found.data} onClose={() => setAsking(null)} />}
      {asking === "remove" && (
        <Confirm title={`Remove "${name}"?`} verb="Remove" grave busy={busy} onDo={() => void remove()} onClose={() => setAsking(null)}>
          <p>Its secret is forgotten. A connection that a flow names is not removed.</p>
        </Confirm>
      )}
    </Page>
  );
}

/** Makes a call that does no harm, and says what came of it. */
function Try({ name, origin, needsUrl }: { name: string; origin: string | null; needsUrl: boolean }) {
  const [url, setUrl] = useState("");
  const [tested, setTested] = useState<Tested | null>(null);
  const { act, busy } = useAct("connections");
  const test = async () => setTested(await act(() => connections.test(name, url.trim())));
  return (
    <section className="connections-try" aria-label="Test">
      <h2>Does it work?</h2>
      {needsUrl && (
        <div className="field">
          <label htmlFor="try-url">What to call</label>
          <input id="try-url" type="url" value={url} placeholder={origin ?? "https://api.example.com/"} onChange={(event) => setUrl(event.target.value)} />
        </div>
      )}
      <button type="button" className="primary" disabled={busy || (needsUrl && url.trim() === "")} onClick={() => void test()}>
        {busy ? "Testing …" : "Test the connection"}
      </button>
      {tested !== null && (
        <div className={tested.ok ? "connections-tested good" : "connections-tested bad"} role="status">
          <p>
            <Chip tone={tested.ok ? "good" : "bad"}>{tested.ok ? "It works" : "It does not work"}</Chip> {tested.said}
          </p>
          {tested.mend !== null && <p>{tested.mend}</p>}
          <p className="muted">
            <code>{tested.called}</code>
            {tested.status !== null && `, status ${tested.status}`}, {tested.tookMs.toLocaleString()} ms
          </p>
        </div>
      )}
    </section>
  );
}

function Uses({ uses }: { uses: Use[] }) {
  return (
    <section aria-label="Flows">
      <h2>Who names it</h2>
      {uses.length === 0 ? (
        <p className="muted">No flow names it. It can be removed.</p>
      ) : (
        <ul className="connections-uses">
          {uses.map(({ flow, module, published }) => (
            <li key={`${flow}/${module}/${String(published)}`}>
              <Link href={`/flows/${encodeURIComponent(flow)}`}>{flow}</Link>, module {module} {published ? <Chip tone="good">Published</Chip> : <Chip>Draft</Chip>}
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}

function Calls({ calls }: { calls: Call[] }) {
  return (
    <section aria-label="Calls">
      <h2>What was called</h2>
      {calls.length === 0 ? (
        <p className="muted">Nothing yet. Each call to the workspace leaves a row here.</p>
      ) : (
        <div className="table-frame" role="region" aria-label="Calls to the workspace" tabIndex={0}>
          <table className="list">
            <thead>
              <tr>
                <th>When</th>
                <th>Call</th>
                <th>For</th>
                <th>Who</th>
                <th className="amount">Status</th>
              </tr>
            </thead>
            <tbody>
              {calls.map((call) => (
                <tr key={call.id}>
                  <td>
                    <When at={call.at} />
                  </td>
                  <td>
                    <code>
                      {call.method} {call.path}
                    </code>
                  </td>
                  <td>{call.run === null ? (call.flow ?? call.operation) : <Link href={`/runs/${call.run}`}>{call.flow ?? call.operation}</Link>}</td>
                  <td>{call.who}</td>
                  <td className="amount">{call.status ?? call.errorCode ?? "none"}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </section>
  );
}
