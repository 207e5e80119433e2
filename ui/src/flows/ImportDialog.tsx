// Brings flows in: a blueprint in any container, YAML, or a package's archive.
// First it is told what would come; then it comes.

import { useRef, useState } from "react";
import { useLocation } from "wouter";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Upload } from "lucide-react";

import { Dialog } from "../kit/Dialog";
import { Problem } from "../kit/Problem";
import { say } from "../kit/toasts";
import { importFlows, listPackages, type Imported, type ImportedFlow } from "./api";
import { MoveSecrets } from "./SecretsDialog";

interface Props {
  /** The flow whose draft it becomes; without it new flows are made. */
  into?: string;
  onClose: () => void;
}

export function ImportDialog({ into, onClose }: Props) {
  const queries = useQueryClient();
  const [, goTo] = useLocation();
  const [file, setFile] = useState<Blob | null>(null);
  const [told, setTold] = useState<Imported | null>(null);
  const [key, setKey] = useState(into ?? "");
  const [place, setPlace] = useState("");
  const [error, setError] = useState<unknown>(null);
  const [busy, setBusy] = useState(false);
  const [over, setOver] = useState(false);
  const field = useRef<HTMLInputElement>(null);
  const packages = useQuery({ queryKey: ["packages"], queryFn: listPackages, enabled: into === undefined });

  const options = (dryRun: boolean, wanted: string) => ({
    dryRun,
    ...(wanted === "" ? {} : { key: wanted }),
    ...(place === "" ? {} : { package: place }),
  });
  const attempt = async (act: () => Promise<void>) => {
    setBusy(true);
    setError(null);
    try {
      await act();
    } catch (failure) {
      setError(failure);
    }
    setBusy(false);
  };
  const look = (chosen: Blob) =>
    attempt(async () => {
      setFile(chosen);
      setTold(null);
      const answer = await importFlows(chosen, options(true, into ?? ""));
      setTold(answer);
      if (answer.flows.length === 1 && into === undefined) setKey(answer.flows[0]!.key);
    });
  const bring = () =>
    attempt(async () => {
      const wanted = told?.flows.length === 1 ? key.trim() : "";
      const answer = await importFlows(file!, options(false, wanted));
      setTold(answer);
      await queries.invalidateQueries({ queryKey: ["flows"] });
      for (const flow of answer.flows) await queries.invalidateQueries({ queryKey: ["flow", flow.key] });
      say(answer.flows.length === 1 ? `${answer.flows[0]!.name} is a draft now` : `${answer.flows.length} flows are drafts now`);
      if (answer.flows.every(({ secrets }) => secrets.length === 0)) finish(answer.flows);
    });
  const finish = (flows: ImportedFlow[]) => {
    onClose();
    if (into === undefined && flows.length === 1) goTo(`/flows/${encodeURIComponent(flows[0]!.key)}`);
  };
  const stored = told !== null && !told.dryRun;

  return (
    <Dialog
      wide={told !== null}
      title={into === undefined ? "Import flows" : "Import into this flow"}
      onClose={onClose}
      actions={
        stored ? (
          <button type="button" className="primary" onClick={() => finish(told.flows)}>
            Done
          </button>
        ) : (
          <>
            <button type="button" onClick={onClose}>
              Cancel
            </button>
            <button type="button" className="primary" disabled={busy || told === null} onClick={() => void bring()}>
              {busy && told !== null ? "Importing" : "Import"}
            </button>
          </>
        )
      }
    >
      {!stored && (
        <div
          className={over ? "drop over" : "drop"}
          onDragOver={(event) => {
            event.preventDefault();
            setOver(true);
          }}
          onDragLeave={() => setOver(false)}
          onDrop={(event) => {
            event.preventDefault();
            setOver(false);
            const dropped = event.dataTransfer.files[0];
            if (dropped !== undefined) void look(dropped);
          }}
        >
          <Upload aria-hidden="true" size={22} />
          <p>Drop a file here: a blueprint, what an editor copied, YAML, or the archive of a package.</p>
          <div className="actions">
            <button type="button" onClick={() => field.current?.click()}>
              Choose a file
            </button>
            <button type="button" onClick={() => void attempt(async () => look(new Blob([await navigator.clipboard.readText()])))}>
              Take from the clipboard
            </button>
          </div>
          <input
            ref={field}
            type="file"
            className="unseen"
            aria-label="File to import"
            tabIndex={-1}
            accept=".json,.yaml,.yml,.zip,application/json"
            onChange={(event) => {
              const chosen = event.target.files?.[0];
              if (chosen !== undefined) void look(chosen);
            }}
          />
        </div>
      )}
      {error !== null && <Problem error={error} />}
      {told !== null && !stored && into === undefined && (
        <div className="import-where">
          {told.flows.length === 1 && (
            <div className="field">
              <label htmlFor="import-key">Key, as in its address</label>
              <input id="import-key" value={key} onChange={(event) => setKey(event.target.value)} />
            </div>
          )}
          {(packages.data ?? []).length > 0 && (
            <div className="field">
              <label htmlFor="import-package">Package</label>
              <select id="import-package" value={place} onChange={(event) => setPlace(event.target.value)}>
                <option value="">None</option>
                {packages.data!.map(({ key: each, name }) => (
                  <option key={each} value={each}>
                    {name}
                  </option>
                ))}
              </select>
            </div>
          )}
        </div>
      )}
      {told?.flows.map((flow) => (
        <Told key={flow.key} flow={flow} stored={stored} />
      ))}
    </Dialog>
  );
}

function Told({ flow, stored }: { flow: ImportedFlow; stored: boolean }) {
  const [moved, setMoved] = useState(false);
  const rest = flow.notices.filter(({ text }) => !text.includes("flow secrets"));
  return (
    <section className="import-told">
      <h3>{flow.name}</h3>
      <p className="muted">
        {flow.modules} {flow.modules === 1 ? "module" : "modules"}
        {flow.replaces && !stored ? ", replaces the draft that is there" : ""}
      </p>
      {flow.unknownModules.length > 0 && (
        <p>
          Not known here: {flow.unknownModules.join(", ")}. The flow can be stored and published; a run fails when it comes to them.
        </p>
      )}
      {flow.unmapped.length > 0 && (
        <p>
          Numbers of another place: {flow.unmapped.join(", ")}. Choose ours in the modules that name them.
        </p>
      )}
      {rest.length > 0 && (
        <details>
          <summary>
            {rest.length} {rest.length === 1 ? "notice" : "notices"} of the check
          </summary>
          <ul>
            {rest.map(({ module, text }, index) => (
              <li key={index}>
                {module !== null && <strong>Module {module}: </strong>}
                {text}
              </li>
            ))}
          </ul>
        </details>
      )}
      {flow.secrets.length > 0 && !stored && (
        <p>
          {flow.secrets.length} {flow.secrets.length === 1 ? "secret stands" : "secrets stand"} in its text. After the import they can be moved into a connection.
        </p>
      )}
      {flow.secrets.length > 0 && stored && !moved && <MoveSecrets flow={flow.key} secrets={flow.secrets} onMoved={() => setMoved(true)} />}
      {moved && <p>Its secrets lie in a connection now.</p>}
    </section>
  );
}
