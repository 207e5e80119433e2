import { useState } from "react";
import { useLocation } from "wouter";

import { Confirm } from "../kit/Confirm";
import { ShownOnce } from "../kit/ShownOnce";
import { useAct } from "../kit/useAct";
import { subscriptions, type Details } from "./api";
import { ACTIONS, type Action } from "./words";

const OVERLAP_HOURS = 24;

/** Asks before an action, says what follows from it, and does it. */
export function ActionDialog({ action, details, onClose }: { action: Action; details: Details; onClose: () => void }) {
  const [offset, setOffset] = useState("1");
  const [uri, setUri] = useState(details.callback ?? "");
  const [authorization, setAuthorization] = useState("");
  const [secret, setSecret] = useState<string | null>(null);
  const [, goTo] = useLocation();
  const { act, busy } = useAct("subscriptions");
  const { id, name } = details;
  const { name: verb, follows, grave = false } = ACTIONS[action];

  const update = async () => {
    const before = await subscriptions.shown(id);
    const headers = authorization === "" ? {} : { headers: { Authorization: authorization } };
    const configurations = before.configurations as "SKIP_ERRORS"[];
    await subscriptions.update(id, { name, configurations, callbackInfo: { uri, protocol: "HTTPS", ...headers } });
  };
  const works: Record<Action, () => Promise<unknown>> = {
    pause: () => subscriptions.pause(id),
    resume: () => subscriptions.resume(id),
    latest: () => subscriptions.resumeFromLatest(id),
    replay: () => subscriptions.replay(id, Number(offset)),
    skip: () => subscriptions.skip(id),
    rotate: () => subscriptions.rotate(id, OVERLAP_HOURS).then((made) => setSecret(made.secret)),
    update,
    // The page is left before everything is read anew: what is gone is not asked for.
    delete: () => subscriptions.remove(id).then(() => goTo("/subscriptions")),
  };
  const go = async () => {
    const done = await act(() => works[action]().then(() => true), `${verb}: done`);
    if (done === null || action === "rotate") return;
    onClose();
  };
  if (secret !== null) {
    return (
      <ShownOnce
        title="The new signing secret"
        secret={secret}
        hint={`Give it to the receiver. For ${OVERLAP_HOURS} hours every call is signed with both.`}
        onClose={onClose}
      />
    );
  }
  return (
    <Confirm title={`${verb}: ${name}`} verb={verb} grave={grave} busy={busy} onDo={() => void go()} onClose={onClose}>
      <p>{follows}</p>
      {action === "replay" && (
        <div className="field">
          <label htmlFor="offset">From offset</label>
          <input id="offset" type="number" min={0} max={details.head} value={offset} onChange={(event) => setOffset(event.target.value)} />
          <p className="hint">The newest is {details.head.toLocaleString()}.</p>
        </div>
      )}
      {action === "update" && (
        <>
          <div className="field">
            <label htmlFor="uri">Callback</label>
            <input id="uri" type="url" value={uri} onChange={(event) => setUri(event.target.value)} />
          </div>
          <div className="field">
            <label htmlFor="authorization">Header Authorization</label>
            <input id="authorization" value={authorization} autoComplete="off" onChange={(event) => setAuthorization(event.target.value)} />
            <p className="hint">Headers are never shown again, so the ones from before are replaced: write it anew if it is needed.</p>
          </div>
        </>
      )}
    </Confirm>
  );
}
