// Makes a connection, or sets one anew: its secret goes in and never comes out.

import { useState, type FormEvent } from "react";

import { Dialog } from "../kit/Dialog";
import { useAct } from "../kit/useAct";
import { connections, type Connection } from "./api";
import { KINDS, kindOf, missing, settingsOf, type Kind, type Setting } from "./kinds";
import "./connections.css";

interface Props {
  /** The one that is set anew; a new one without it. */
  connection?: Connection;
  /** The kinds that are offered, the most fitting first. */
  kinds?: readonly Kind[];
  onClose: () => void;
  onStored?: (name: string) => void;
}

export function ConnectionDialog({ connection, kinds = KINDS, onClose, onStored }: Props) {
  const [name, setName] = useState(connection?.name ?? "");
  const [kindId, setKindId] = useState(connection === undefined ? kinds[0]!.id : (kindOf(connection.kind)?.id ?? kinds[0]!.id));
  const [values, setValues] = useState<Record<string, string>>({
    tls: "starttls",
    host: connection?.origin ?? "",
    origin: connection?.origin ?? "",
    expiresAt: connection?.expiresAt?.slice(0, 10) ?? "",
  });
  const { act, busy } = useAct("connections");
  const kind = kindOf(kindId)!;
  const set = (field: string) => (value: string) => setValues((before) => ({ ...before, [field]: value }));
  const store = async (event: FormEvent) => {
    event.preventDefault();
    const settings = { ...settingsOf(kind, values), ...(connection?.importedIds === undefined ? {} : { importedIds: connection.importedIds }) };
    const done = await act(async () => {
      await connections.put(name.trim(), settings);
      return true;
    }, `"${name.trim()}" is stored`);
    if (done === null) return;
    onStored?.(name.trim());
    onClose();
  };
  return (
    <Dialog
      title={connection === undefined ? "New connection" : `Set "${connection.name}" anew`}
      onClose={onClose}
      actions={
        <button type="submit" form="connection" className="primary" disabled={busy || name.trim() === "" || missing(kind, values).length > 0}>
          Store
        </button>
      }
    >
      <form id="connection" onSubmit={store} autoComplete="off">
        {connection === undefined ? (
          <>
            <div className="field">
              <label htmlFor="connection-kind">Kind</label>
              <select id="connection-kind" value={kindId} onChange={(event) => setKindId(event.target.value)}>
                {kinds.map(({ id, label }) => (
                  <option key={id} value={id}>
                    {label}
                  </option>
                ))}
              </select>
              <p className="hint">{kind.about}</p>
            </div>
            <div className="field">
              <label htmlFor="connection-name">Name</label>
              <input id="connection-name" value={name} autoFocus onChange={(event) => setName(event.target.value)} />
              <p className="hint">What flows call it.</p>
            </div>
          </>
        ) : (
          <p className="muted">
            {kind.label}. What is stored is never shown, so it is given again. Flows that name it go on with the new one at once.
          </p>
        )}
        {kind.settings.map((setting) => (
          <SettingField key={setting.name} setting={setting} value={values[setting.name] ?? ""} onChange={set(setting.name)} />
        ))}
        {kind.bound && (
          <SettingField
            setting={{ name: "origin", label: "Where it may go", optional: true, placeholder: "https://api.example.com", hint: "The secret is sent there and nowhere else. Leave it empty only if you must." }}
            value={values["origin"] ?? ""}
            onChange={set("origin")}
          />
        )}
        <div className="field">
          <label htmlFor="connection-expiresAt">Ends on</label>
          <input id="connection-expiresAt" type="date" value={values["expiresAt"] ?? ""} onChange={(event) => set("expiresAt")(event.target.value)} />
          <p className="hint">{kindId === "databricks-pat" ? "In 90 days if nothing is said. " : "Optional. "}You are warned two weeks before.</p>
        </div>
      </form>
    </Dialog>
  );
}

function SettingField({ setting, value, onChange }: { setting: Setting; value: string; onChange: (value: string) => void }) {
  const { name, label, hint, secret = false, optional = false, long = false, choices, placeholder } = setting;
  const id = `connection-${name}`;
  const about = hint === undefined ? undefined : `${id}-hint`;
  const common = { id, "aria-describedby": about, placeholder, value };
  return (
    <div className="field">
      <label htmlFor={id}>
        {label}
        {optional && <span className="muted"> (optional)</span>}
      </label>
      {choices !== undefined ? (
        <select id={id} value={value} onChange={(event) => onChange(event.target.value)}>
          {choices.map(([choice, words]) => (
            <option key={choice} value={choice}>
              {words}
            </option>
          ))}
        </select>
      ) : long ? (
        <textarea {...common} rows={4} spellCheck={false} className="connections-long" onChange={(event) => onChange(event.target.value)} />
      ) : (
        <input {...common} type={secret ? "password" : "text"} autoComplete={secret ? "new-password" : "off"} inputMode={name === "port" ? "numeric" : undefined} onChange={(event) => onChange(event.target.value)} />
      )}
      {hint !== undefined && (
        <p className="hint" id={about}>
          {hint}
        </p>
      )}
    </div>
  );
}
