import { useState } from "react";
import { Link } from "wouter";
import { useQuery } from "@tanstack/react-query";

import { Chip } from "../kit/Chip";
import { Empty } from "../kit/Empty";
import { Page } from "../kit/Page";
import { Read } from "../kit/Read";
import { When } from "../kit/When";
import { connections, type Connection } from "./api";
import { ConnectionDialog } from "./ConnectionDialog";
import { kindOf } from "./kinds";
import "./connections.css";

/** The secrets that flows name and never contain. */
export default function ConnectionsPage() {
  const all = useQuery({ queryKey: ["connections"], queryFn: connections.list });
  const [making, setMaking] = useState(false);
  return (
    <Page
      title="Connections"
      actions={
        <>
          <Link className="button" href="/webhooks">
            Webhooks
          </Link>
          <button type="button" className="primary" onClick={() => setMaking(true)}>
            New connection
          </button>
        </>
      }
    >
      <p className="connections-lead muted">A connection holds a secret that flows name and never contain. It is sealed, goes where it may go, and is never shown.</p>
      <Read query={all}>
        {(found) => (
          <>
            {found.every(({ builtIn }) => builtIn === true) && (
              <Empty title="No connection of your own yet">
                <p>Two are always there: this program and its local workspace. For a workspace in the cloud, a mail server or Slack, make one with the button above.</p>
              </Empty>
            )}
            <List all={found} />
          </>
        )}
      </Read>
      {making && <ConnectionDialog onClose={() => setMaking(false)} />}
    </Page>
  );
}

function List({ all }: { all: Connection[] }) {
  return (
    <div className="table-frame" role="region" aria-label="All connections" tabIndex={0}>
      <table className="list">
        <thead>
          <tr>
            <th>Name</th>
            <th>Kind</th>
            <th>Where it may go</th>
            <th>Ends</th>
            <th>Changed</th>
          </tr>
        </thead>
        <tbody>
          {all.map((one) => (
            <tr key={one.name}>
              <td>
                <Link href={`/connections/${encodeURIComponent(one.name)}`}>{one.name}</Link> {one.builtIn === true && <Chip>Built in</Chip>}
              </td>
              <td>{kindOf(one.kind)?.label ?? one.kind}</td>
              <td className="connections-origin">{one.origin ?? <span className="muted">{one.builtIn === true ? "Our own listeners" : "Where the flow says"}</span>}</td>
              <td>
                {one.warning !== undefined ? (
                  <Chip tone="warn" title={one.warning}>
                    {one.expiresAt === null ? "Soon" : <When at={one.expiresAt} />}
                  </Chip>
                ) : one.expiresAt === null ? (
                  <span className="muted">never</span>
                ) : (
                  <When at={one.expiresAt} />
                )}
              </td>
              <td>{one.builtIn === true ? "" : <When at={one.updatedAt} />}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
