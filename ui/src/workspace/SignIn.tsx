import { useState, type FormEvent } from "react";

import { ApiError } from "../api/error";
import { readMe, signIn } from "./api";
import { keepToken, signOut } from "./session";

/** Asks for an access token, or for an app key of the program, and tries it. */
export function SignIn({ onSignedIn }: { onSignedIn: () => void }) {
  const [given, setGiven] = useState("");
  const [trying, setTrying] = useState(false);
  const [problem, setProblem] = useState<string | null>(null);

  const submit = async (event: FormEvent) => {
    event.preventDefault();
    setTrying(true);
    setProblem(null);
    try {
      const text = given.trim();
      // An app key has two parts; a token has one.
      keepToken(text.includes(":") ? (await signIn(text)).token : text);
      await readMe();
      onSignedIn();
    } catch (error) {
      signOut();
      const refused = error instanceof ApiError && (error.status === 401 || error.status === 403);
      setProblem(refused ? "This is not known here, or it has expired. Check that it was copied whole." : (error as Error).message);
    } finally {
      setTrying(false);
    }
  };

  return (
    <section className="sign-in" aria-labelledby="sign-in-title">
      <h1 id="sign-in-title">Sign in to the workspace</h1>
      <p className="muted">
        With an access token (<code>dapi…</code>), or with an app key of Loopwright, written as <code>id:secret</code>.
        With an app key you can make access tokens under Settings → Developer.
      </p>
      <form onSubmit={submit}>
        <label htmlFor="given">Access token or app key</label>
        <input
          id="given"
          type="password"
          autoComplete="off"
          spellCheck={false}
          value={given}
          onChange={(event) => setGiven(event.target.value)}
          aria-describedby={problem === null ? undefined : "sign-in-problem"}
          aria-invalid={problem !== null}
          autoFocus
          required
        />
        <button type="submit" className="primary" disabled={trying || given.trim() === ""}>
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
