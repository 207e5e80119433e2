import { useState, type FormEvent } from "react";
import { useLocation } from "wouter";
import { useQuery } from "@tanstack/react-query";

import { json, type Of } from "../api/client";
import { Dialog } from "../kit/Dialog";
import { ShownOnce } from "../kit/ShownOnce";
import { useAct } from "../kit/useAct";
import { subscriptions } from "./api";

interface Props {
  /** Chosen already where the dialog was opened at a trigger. */
  model?: string;
  trigger?: string;
  onClose: () => void;
}

/** Subscribes a webhook to a trigger, and shows the signing secret once. */
export function NewSubscriptionDialog({ model: givenModel, trigger: givenTrigger, onClose }: Props) {
  const [model, setModel] = useState(givenModel ?? "");
  const [trigger, setTrigger] = useState(givenTrigger ?? "");
  const [name, setName] = useState("");
  const [uri, setUri] = useState("");
  const [authorization, setAuthorization] = useState("");
  const [skips, setSkips] = useState(false);
  const [made, setMade] = useState<{ id: string; secret: string } | null>(null);
  const [, goTo] = useLocation();
  const { act, busy } = useAct("subscriptions");
  const models = useQuery({ queryKey: ["models"], queryFn: () => json<Of<"Model">[]>("GET", "/api/v1/models") });
  const triggers = useQuery({
    queryKey: ["models", model, "triggers"],
    queryFn: () => json<Of<"ModelTrigger">[]>("GET", `/api/v1/models/${encodeURIComponent(model)}/triggers`),
    enabled: model !== "",
  });

  const make = async (event: FormEvent) => {
    event.preventDefault();
    const headers = authorization === "" ? {} : { headers: { Authorization: authorization } };
    const done = await act(async () => {
      const { id } = await subscriptions.create(model, trigger, {
        name: name.trim(),
        callbackInfo: { uri: uri.trim(), protocol: "HTTPS", ...headers },
        configurations: skips ? ["SKIP_ERRORS"] : [],
      });
      return { id, secret: (await subscriptions.secret(id)).secret };
    }, `"${name.trim()}" is subscribed`);
    if (done !== null) setMade(done);
  };
  if (made !== null) {
    return (
      <ShownOnce
        title="The signing secret"
        secret={made.secret}
        hint="The receiver checks the header webhook-signature with it, over the body as it came."
        onClose={() => {
          onClose();
          goTo(`/subscriptions/${made.id}`);
        }}
      />
    );
  }
  const ready = model !== "" && trigger !== "" && name.trim() !== "" && uri.trim() !== "";
  return (
    <Dialog
      title="Subscribe a webhook"
      onClose={onClose}
      actions={
        <button type="submit" form="new-subscription" className="primary" disabled={busy || !ready}>
          Subscribe
        </button>
      }
    >
      <form id="new-subscription" onSubmit={make}>
        <div className="field">
          <label htmlFor="sub-model">Knowledge model</label>
          <select
            id="sub-model"
            value={model}
            onChange={(event) => {
              setModel(event.target.value);
              setTrigger("");
            }}
          >
            <option value="">Choose one</option>
            {(models.data ?? []).map(({ id, name: shown, published }) => (
              <option key={id} value={id} disabled={published == null}>
                {shown}
                {published == null ? " (not published)" : ""}
              </option>
            ))}
          </select>
        </div>
        <div className="field">
          <label htmlFor="sub-trigger">Trigger</label>
          <select id="sub-trigger" value={trigger} disabled={model === ""} onChange={(event) => setTrigger(event.target.value)}>
            <option value="">Choose one</option>
            {(triggers.data ?? []).map(({ id, name: shown }) => (
              <option key={id} value={id}>
                {shown}
              </option>
            ))}
          </select>
        </div>
        <div className="field">
          <label htmlFor="sub-name">Name</label>
          <input id="sub-name" value={name} onChange={(event) => setName(event.target.value)} />
        </div>
        <div className="field">
          <label htmlFor="sub-uri">Callback</label>
          <input id="sub-uri" type="url" value={uri} placeholder="https://warehouse.example.com/events" onChange={(event) => setUri(event.target.value)} />
          <p className="hint">It is asked now whether it is there; any answer counts.</p>
        </div>
        <div className="field">
          <label htmlFor="sub-auth">Header Authorization</label>
          <input id="sub-auth" value={authorization} placeholder="None" autoComplete="off" onChange={(event) => setAuthorization(event.target.value)} />
          <p className="hint">Sent with every call, and never shown again.</p>
        </div>
        <label className="subscriptions-check">
          <input type="checkbox" checked={skips} onChange={(event) => setSkips(event.target.checked)} /> Skip events that fail. They are
          lost; without the tick they wait.
        </label>
      </form>
    </Dialog>
  );
}
