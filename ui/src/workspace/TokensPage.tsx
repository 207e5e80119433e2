import { useState, type FormEvent } from "react";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";

import { Failure } from "./Failure";
import { Moment } from "./Moment";
import { endToken, makeToken, readTokens, type Token } from "./api";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** The documented advice: rotate after so long. */
const USUAL_DAYS = "90";

/** Settings → Developer → Access tokens. */
export function TokensPage() {
  const tokens = useQuery({ queryKey: ["tokens"], queryFn: readTokens });
  return (
    <section aria-labelledby="title">
      <p className="trail">Settings / Developer</p>
      <div className="title-row">
        <h1 id="title">Access tokens</h1>
      </div>
      <p className="muted">
        A token lets a program act for you. It is shown once; what it may do ends with it. For programs that stay, prefer a
        service principal with OAuth.
      </p>
      <NewToken />
      <Failure of={tokens.error} />
      {tokens.data !== undefined && tokens.data.length === 0 && <p className="muted">You have no tokens.</p>}
      {tokens.data !== undefined && tokens.data.length > 0 && (
        <div className="table-frame">
          <table>
            <thead>
              <tr>
                <th scope="col">Comment</th>
                <th scope="col">Made</th>
                <th scope="col">Expires</th>
                <th scope="col">
                  <span className="unseen">Act</span>
                </th>
              </tr>
            </thead>
            <tbody>
              {tokens.data.map((token) => (
                <Row key={token.token_id} token={token} />
              ))}
            </tbody>
          </table>
        </div>
      )}
    </section>
  );
}

function NewToken() {
  const [comment, setComment] = useState("");
  const [days, setDays] = useState(USUAL_DAYS);
  const [copied, setCopied] = useState(false);
  const queries = useQueryClient();
  const made = useMutation({
    mutationFn: () => makeToken(comment, days === "" ? null : Number(days)),
    onSuccess: () => {
      setComment("");
      setCopied(false);
      void queries.invalidateQueries({ queryKey: ["tokens"] });
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    made.mutate();
  };
  const copy = async () => {
    await navigator.clipboard.writeText(made.data?.token_value ?? "");
    setCopied(true);
  };
  return (
    <>
      <form className="new-token" onSubmit={submit} aria-label="New access token">
        <label>
          Comment
          <input value={comment} onChange={(event) => setComment(event.target.value)} placeholder="what it is for" required />
        </label>
        <label>
          Days until it expires
          <input type="number" min={1} max={730} value={days} onChange={(event) => setDays(event.target.value)} required />
        </label>
        <button type="submit" className="primary" disabled={made.isPending}>
          {made.isPending ? "Making …" : "Generate token"}
        </button>
      </form>
      <Failure of={made.error} />
      {made.data !== undefined && (
        <aside className="shown-once" role="status">
          <h2>Copy it now: it is not shown again</h2>
          <p>
            <code>{made.data.token_value}</code>{" "}
            <button type="button" onClick={() => void copy()}>
              {copied ? "Copied" : "Copy"}
            </button>
          </p>
        </aside>
      )}
    </>
  );
}

function Row({ token }: { token: Token }) {
  const queries = useQueryClient();
  const end = useMutation({
    mutationFn: () => endToken(token.token_id),
    onSuccess: () => queries.invalidateQueries({ queryKey: ["tokens"] }),
  });
  return (
    <tr>
      <th scope="row">{token.comment === "" ? <span className="muted">without a comment</span> : token.comment}</th>
      <td>
        <Moment at={token.creation_time} />
      </td>
      <td>{token.expiry_time <= 0 ? "never" : <Expiry at={token.expiry_time} />}</td>
      <td className="acts">
        <button type="button" onClick={() => end.mutate()} disabled={end.isPending} aria-label={`Revoke ${token.comment}`}>
          {end.isPending ? "Revoking …" : "Revoke"}
        </button>
        <Failure of={end.error} />
      </td>
    </tr>
  );
}

function Expiry({ at }: { at: number }) {
  const left = at - Date.now();
  if (left < 0) return <span className="standing bad">✕ has expired</span>;
  const [unit, name] = left < 2 * DAY_MS ? [HOUR_MS, "hours"] : [DAY_MS, "days"];
  return (
    <>
      <Moment at={at} />{" "}
      <span className="muted">
        in {Math.round(left / unit)} {name}
      </span>
    </>
  );
}
