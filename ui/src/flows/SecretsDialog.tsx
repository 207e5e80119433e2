// Secrets that stand in the text of a flow, and their way into a connection.

import { useState } from "react";
import { useQuery, useQueryClient } from "@tanstack/react-query";

import { Dialog } from "../kit/Dialog";
import { Problem } from "../kit/Problem";
import { say } from "../kit/toasts";
import { findSecrets, moveSecrets, type Literal } from "./api";

export function SecretsDialog({ flow, onClose }: { flow: string; onClose: () => void }) {
  const secrets = useQuery({ queryKey: ["flow", flow, "secrets"], queryFn: () => findSecrets(flow) });
  return (
    <Dialog title="Secrets in this flow" onClose={onClose}>
      {secrets.error !== null && <Problem error={secrets.error} onRetry={() => void secrets.refetch()} />}
      {secrets.data?.length === 0 && <p>No secret was found in its text.</p>}
      {secrets.data !== undefined && secrets.data.length > 0 && <MoveSecrets flow={flow} secrets={secrets.data} onMoved={onClose} />}
    </Dialog>
  );
}

/** Lists what was found, and offers to move it. */
export function MoveSecrets({ flow, secrets, onMoved }: { flow: string; secrets: Literal[]; onMoved: () => void }) {
  const queries = useQueryClient();
  const [name, setName] = useState(`${flow}-secret`);
  const [error, setError] = useState<unknown>(null);
  const [busy, setBusy] = useState(false);
  const move = async () => {
    setBusy(true);
    setError(null);
    try {
      const { connections, left, keptInHistory } = await moveSecrets(flow, name.trim());
      const names = [...new Set(connections.map((each) => each.connection))].join(", ");
      say(
        `Moved into ${names === "" ? "no connection" : `connection ${names}`}.${left.length > 0 ? ` ${left.length} stay where they are.` : ""}${
          keptInHistory ? " An older version still has the text: replace the secret where it was given out." : ""
        }`,
      );
      await queries.invalidateQueries({ queryKey: ["flow", flow] });
      await queries.invalidateQueries({ queryKey: ["connections"] });
      onMoved();
    } catch (failure) {
      setError(failure);
    }
    setBusy(false);
  };
  return (
    <section className="secrets">
      <p>Everybody who sees the flow can read these. In a connection they are sealed.</p>
      <ul>
        {secrets.map(({ module, field, what, shown }) => (
          <li key={`${module} ${field}`}>
            <strong>Module {module}</strong> {what} <code>{shown}</code> <span className="muted">in {field}</span>
          </li>
        ))}
      </ul>
      <div className="field">
        <label htmlFor="secret-connection">Name of the connection</label>
        <input id="secret-connection" value={name} onChange={(event) => setName(event.target.value)} />
      </div>
      {error !== null && <Problem error={error} />}
      <button type="button" className="primary" disabled={busy || name.trim() === ""} onClick={() => void move()}>
        {busy ? "Moving" : "Move into a connection"}
      </button>
    </section>
  );
}
