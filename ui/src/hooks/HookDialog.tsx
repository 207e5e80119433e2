// Makes a webhook or sets it: its name, its address, who may call, and what its
// data is made of, which a request can tell.

import { useState, type FormEvent } from "react";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Check, Copy } from "lucide-react";

import { Chip } from "../kit/Chip";
import { Dialog } from "../kit/Dialog";
import { Read } from "../kit/Read";
import { useAct } from "../kit/useAct";
import { warn } from "../kit/toasts";
import { addressOf, hooks, nameOf, settingsOf, type Hook, type HookSettings, type Item } from "./api";
import "./hooks.css";

/** A hook that listens is looked at so often. */
const LOOK_EVERY_MS = 700;

interface Props {
  /** The one that is set; a new one without it. */
  hook?: string | undefined;
  onClose: () => void;
  /** Tells the name of a hook that was made. */
  onMade?: (name: string) => void;
}

export function HookDialog({ hook: given, onClose, onMade }: Props) {
  const [name, setName] = useState(given ?? null);
  if (name === null) {
    return (
      <New
        onClose={onClose}
        onMade={(made) => {
          setName(made);
          onMade?.(made);
        }}
      />
    );
  }
  return <Existing name={name} onClose={onClose} />;
}

function New({ onClose, onMade }: { onClose: () => void; onMade: (name: string) => void }) {
  const [label, setLabel] = useState("");
  const [addresses, setAddresses] = useState("");
  const [headers, setHeaders] = useState(false);
  const { act, busy } = useAct("hooks");
  const name = nameOf(label);
  const make = async (event: FormEvent) => {
    event.preventDefault();
    const settings: HookSettings = { label: label.trim(), addresses, withHeaders: headers };
    const made = await act(() => hooks.put(name, settings));
    if (made !== null) onMade(made.name);
  };
  return (
    <Dialog
      title="Add a webhook"
      onClose={onClose}
      actions={
        <button type="submit" form="new-hook" className="primary" disabled={busy || name === ""}>
          Save
        </button>
      }
    >
      <form id="new-hook" onSubmit={make}>
        <div className="field">
          <label htmlFor="hook-label">Webhook name</label>
          <input id="hook-label" value={label} autoFocus onChange={(event) => setLabel(event.target.value)} placeholder="Deliveries" />
          {name !== "" && <p className="hint">Flows call it “{name}”.</p>}
        </div>
        <Restrictions value={addresses} onChange={setAddresses} />
        <label className="hooks-check">
          <input type="checkbox" checked={headers} onChange={(event) => setHeaders(event.target.checked)} /> Get the request's headers, too
        </label>
      </form>
    </Dialog>
  );
}

function Restrictions({ value, onChange }: { value: string; onChange: (value: string) => void }) {
  return (
    <div className="field">
      <label htmlFor="hook-addresses">
        IP restrictions <span className="muted">(optional)</span>
      </label>
      <input id="hook-addresses" value={value} placeholder="From everywhere" onChange={(event) => onChange(event.target.value)} aria-describedby="hook-addresses-hint" />
      <p className="hint" id="hook-addresses-hint">
        Addresses and ranges with commas, such as 10.0.0.0/8, 192.0.2.7. Requests from elsewhere are refused.
      </p>
    </div>
  );
}

function Existing({ name, onClose }: { name: string; onClose: () => void }) {
  const found = useQuery({
    queryKey: ["hooks", name],
    queryFn: () => hooks.show(name),
    refetchInterval: (query) => (query.state.data?.learning.state === "listening" ? LOOK_EVERY_MS : false),
  });
  return (
    <Dialog title={found.data?.label || name} onClose={onClose} actions={<button type="button" onClick={onClose}>Done</button>}>
      <Read query={found}>{(hook) => <Set key={hook.name} hook={hook} />}</Read>
    </Dialog>
  );
}

function Set({ hook }: { hook: Hook }) {
  const queries = useQueryClient();
  const [addresses, setAddresses] = useState(hook.addresses.join(", "));
  const [copied, setCopied] = useState(false);
  const { act, busy } = useAct("hooks");
  const address = addressOf(hook);
  const copy = () =>
    void navigator.clipboard
      .writeText(address ?? "")
      .then(() => setCopied(true))
      .catch(() => warn("The browser did not let this page copy. Select the address and copy it by hand."));
  const show = (now: Hook | null) => now !== null && queries.setQueryData(["hooks", hook.name], now);
  const set = async (settings: Partial<HookSettings>, said?: string) => show(await act(() => hooks.put(hook.name, { ...settingsOf(hook), ...settings }), said));
  return (
    <>
      {address === null ? (
        <p className="muted">Its address is a secret, shown to those who may change flows.</p>
      ) : (
        <div className="field">
          <label htmlFor="hook-address">Address</label>
          <div className="hooks-address">
            <input id="hook-address" readOnly value={address} onFocus={(event) => event.target.select()} />
            <button type="button" onClick={copy}>
              {copied ? <Check aria-hidden="true" size={16} /> : <Copy aria-hidden="true" size={16} />} {copied ? "Copied" : "Copy"}
            </button>
          </div>
          <p className="hint">Send data there, or open it in a browser with ?OrderId=17&DeliveryDate=… behind it. Whoever knows it can bring data.</p>
        </div>
      )}
      <Structure hook={hook} busy={busy} onListen={async (listens) => show(await act(() => (listens ? hooks.listen(hook.name) : hooks.stop(hook.name))))} />
      <Restrictions value={addresses} onChange={setAddresses} />
      {addresses !== hook.addresses.join(", ") && (
        <button type="button" disabled={busy} onClick={() => void set({ addresses }, "Who may call is set")}>
          Set the restrictions
        </button>
      )}
      <label className="hooks-check">
        <input type="checkbox" checked={hook.withHeaders} disabled={busy} onChange={(event) => void set({ withHeaders: event.target.checked })} /> Get the request's headers, too
      </label>
      <label className="hooks-check">
        <input type="checkbox" checked={hook.passThrough} disabled={busy} onChange={(event) => void set({ passThrough: event.target.checked })} /> Leave JSON as a text
      </label>
      <label className="hooks-check">
        <input type="checkbox" checked={!hook.enabled} disabled={busy} onChange={(event) => void set({ enabled: !event.target.checked })} /> Take nothing for now (senders hear 410)
      </label>
    </>
  );
}

/** What the data is made of: told by a request, and checked if one wants it. */
function Structure({ hook, busy, onListen }: { hook: Hook; busy: boolean; onListen: (listens: boolean) => void }) {
  const { learning } = hook;
  return (
    <section className="hooks-structure" aria-label="Data structure">
      <h3>What the data is made of</h3>
      {learning.state === "listening" ? (
        <div className="hooks-listening" role="status">
          <span className="hooks-dots" aria-hidden="true">
            <i />
            <i />
            <i />
          </span>
          <p>
            <strong>Listening …</strong> Send a request to the address now.
          </p>
          <button type="button" disabled={busy} onClick={() => onListen(false)}>
            Stop
          </button>
        </div>
      ) : (
        <>
          {learning.state === "determined" && (
            <div role="status">
              <p>
                <Chip tone="good">Successfully determined</Chip>
              </p>
              <Items items={learning.items} />
            </div>
          )}
          {learning.state === "never" && <p className="muted">Nobody has said it yet. A request can tell; its items can then be mapped before the first run.</p>}
          <button type="button" disabled={busy} onClick={() => onListen(true)}>
            {learning.state === "never" ? "Determine the data structure" : "Determine it again"}
          </button>
        </>
      )}
    </section>
  );
}

export function Items({ items }: { items: readonly Item[] }) {
  if (items.length === 0) return <p className="muted">The request was empty.</p>;
  return (
    <ul className="hooks-items">
      {items.map((item) => {
        const inner = Array.isArray(item.spec) ? item.spec : Array.isArray(item.spec?.spec) ? item.spec.spec : [];
        return (
          <li key={item.name}>
            <code>{item.name}</code> <span className="muted">{item.type}</span>
            {inner.length > 0 && <Items items={inner} />}
          </li>
        );
      })}
    </ul>
  );
}
