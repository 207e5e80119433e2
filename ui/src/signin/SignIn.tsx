import { useState, type FormEvent } from "react";

import { ApiError } from "../api/client";
import { readMe } from "../api/status";
import { signIn, signOut } from "../session";

/** Asks for an app key and tries it before it lets the person in. */
export function SignIn({ onSignedIn }: { onSignedIn: () => void }) {
  const [key, setKey] = useState("");
  const [trying, setTrying] = useState(false);
  const [problem, setProblem] = useState<string | null>(null);

  const submit = async (event: FormEvent) => {
    event.preventDefault();
    setTrying(true);
    setProblem(null);
    signIn(key);
    try {
      await readMe();
      onSignedIn();
    } catch (error) {
      signOut();
      const refused = error instanceof ApiError && (error.status === 401 || error.status === 403);
      setProblem(refused ? "This key is not known here. Check that it was copied whole." : (error as Error).message);
    } finally {
      setTrying(false);
    }
  };

  return (
    <section className="sign-in" aria-labelledby="sign-in-title">
      <h1 id="sign-in-title">Sign in</h1>
      <p className="muted">
        With an app key, written as <code>id:secret</code>. The demo prints one when it starts; an administrator makes
        more with <code>loopwright app-key create</code>.
      </p>
      <form onSubmit={submit}>
        <label htmlFor="app-key">App key</label>
        <input
          id="app-key"
          type="password"
          autoComplete="off"
          spellCheck={false}
          value={key}
          onChange={(event) => setKey(event.target.value)}
          aria-describedby={problem === null ? undefined : "sign-in-problem"}
          aria-invalid={problem !== null}
          autoFocus
          required
        />
        <button type="submit" className="primary" disabled={trying || key.trim() === ""}>
          {trying ? "Signing in …" : "Sign in"}
        </button>
        {problem !== null && (
          <p id="sign-in-problem" className="problem" role="alert">
            {problem}
          </p>
        )}
      </form>
    </section>
  );
}
