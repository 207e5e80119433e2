import { useState, type FormEvent } from "react";
import { useQuery } from "@tanstack/react-query";

import { Chip } from "../kit/Chip";
import { Confirm } from "../kit/Confirm";
import { Dialog } from "../kit/Dialog";
import { Page } from "../kit/Page";
import { Read } from "../kit/Read";
import { ShownOnce } from "../kit/ShownOnce";
import { useAct } from "../kit/useAct";
import { When } from "../kit/When";
import { access, type AppKey } from "./api";
import { TeamRightsDialog } from "./TeamRightsDialog";
import "./pools.css";

/** The credentials of programs: made, shown once, revoked. */
export default function AppKeysPage() {
  const keys = useQuery({ queryKey: ["app-keys"], queryFn: access.keys });
  const [making, setMaking] = useState(false);
  const [made, setMade] = useState<string | null>(null);
  const [rights, setRights] = useState<AppKey | null>(null);
  const [leaving, setLeaving] = useState<AppKey | null>(null);
  const { act, busy } = useAct("app-keys", "pools");
  const revoke = async (key: AppKey) => {
    await act(() => access.revokeKey(key.id), `"${key.name}" is revoked`);
    setLeaving(null);
  };
  return (
    <Page
      title="App keys"
      actions={
        <button type="button" className="primary" onClick={() => setMaking(true)}>
          New app key
        </button>
      }
    >
      <p className="pools-lead">
        A program or a person signs in with an app key. A new key may do nothing until it is given rights: here, or on the
        Permissions tab of a pool.
      </p>
      <Read query={keys}>
        {(all) => (
          <div className="table-frame">
            <table className="list">
              <thead>
                <tr>
                  <th>Name</th>
                  <th>State</th>
                  <th>Made by</th>
                  <th>Made</th>
                  <th>
                    <span className="pools-unseen">What can be done</span>
                  </th>
                </tr>
              </thead>
              <tbody>
                {all.map((key) => (
                  <tr key={key.id}>
                    <td>
                      {key.name} {key.administrator && <Chip>Administrator</Chip>}
                    </td>
                    <td>{key.revokedAt === null ? <Chip tone="good">In use</Chip> : <Chip>Revoked</Chip>}</td>
                    <td>{key.createdBy}</td>
                    <td>
                      <When at={key.createdAt} />
                    </td>
                    <td className="pools-small">
                      {key.revokedAt === null && !key.administrator && (
                        <button type="button" aria-label={`Rights of ${key.name}`} onClick={() => setRights(key)}>
                          Rights
                        </button>
                      )}{" "}
                      {key.revokedAt === null && (
                        <button type="button" className="grave" aria-label={`Revoke ${key.name}`} onClick={() => setLeaving(key)}>
                          Revoke
                        </button>
                      )}
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        )}
      </Read>
      {making && (
        <NewKey
          onClose={() => setMaking(false)}
          onMade={(key) => {
            setMaking(false);
            setMade(key);
          }}
        />
      )}
      {made !== null && (
        <ShownOnce
          title="The new app key"
          secret={made}
          hint="Send it as “Authorization: AppKey …” in Base64, or sign in with it here."
          onClose={() => setMade(null)}
        />
      )}
      {rights !== null && <TeamRightsDialog appKey={rights} onClose={() => setRights(null)} />}
      {leaving !== null && (
        <Confirm
          title={`Revoke "${leaving.name}"?`}
          verb="Revoke"
          grave
          busy={busy}
          onDo={() => void revoke(leaving)}
          onClose={() => setLeaving(null)}
        >
          <p>Every call with this key is answered with 401 from now on. It cannot be brought back.</p>
        </Confirm>
      )}
    </Page>
  );
}

function NewKey({ onClose, onMade }: { onClose: () => void; onMade: (key: string) => void }) {
  const [name, setName] = useState("");
  const { act, busy } = useAct("app-keys", "pools");
  const make = async (event: FormEvent) => {
    event.preventDefault();
    const key = await act(() => access.makeKey(name.trim()));
    if (key !== null) onMade(key.key);
  };
  return (
    <Dialog
      title="New app key"
      onClose={onClose}
      actions={
        <button type="submit" form="new-key" className="primary" disabled={busy || name.trim() === ""}>
          Create
        </button>
      }
    >
      <form id="new-key" onSubmit={make}>
        <div className="field">
          <label htmlFor="key-name">Name</label>
          <input id="key-name" value={name} autoFocus onChange={(event) => setName(event.target.value)} />
          <p className="hint">Which program it is for, such as “csv pusher”.</p>
        </div>
      </form>
    </Dialog>
  );
}
