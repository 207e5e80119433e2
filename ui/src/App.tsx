import { useState } from "react";
import { useQueryClient } from "@tanstack/react-query";

import { Home } from "./home/Home";
import { authorization, signOut } from "./session";
import { SignIn } from "./signin/SignIn";
import { ThemeSwitch } from "./kit/ThemeSwitch";
import { Mark } from "./kit/Mark";

/** The shell: who is signed in decides what there is to see. */
export function App() {
  const [signedIn, setSignedIn] = useState(authorization() !== null);
  const queries = useQueryClient();

  const leave = () => {
    signOut();
    queries.clear();
    setSignedIn(false);
  };

  return (
    <>
      <header className="bar">
        <a className="brand" href="/" aria-label="Loopwright, home">
          <Mark />
          <span>Loopwright</span>
        </a>
        <div className="bar-end">
          <ThemeSwitch />
          {signedIn && (
            <button type="button" className="quiet" onClick={leave}>
              Sign out
            </button>
          )}
        </div>
      </header>
      <main>{signedIn ? <Home onRefused={leave} /> : <SignIn onSignedIn={() => setSignedIn(true)} />}</main>
    </>
  );
}
