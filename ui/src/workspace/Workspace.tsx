import { useEffect, useState } from "react";
import { useQueryClient } from "@tanstack/react-query";

import { ApiError } from "../api/error";
import { Mark } from "../kit/Mark";
import { ThemeSwitch } from "../kit/ThemeSwitch";
import { JobPage } from "./JobPage";
import { JobsPage } from "./JobsPage";
import { Link } from "./Link";
import { RunPage } from "./RunPage";
import { RunsPage } from "./RunsPage";
import { SignIn } from "./SignIn";
import { TokensPage } from "./TokensPage";
import { addressOf, usePlace, type Place } from "./place";
import { authorization, signOut } from "./session";

/** The pages of the local workspace: jobs, runs, and access tokens. */
export function Workspace() {
  const [signedIn, setSignedIn] = useState(authorization() !== null);
  const queries = useQueryClient();
  const place = usePlace();

  useEffect(() => {
    // The older form of an address is written anew, so that it can be shared.
    if (location.hash.startsWith("#job/")) history.replaceState(null, "", addressOf(place));
  }, [place]);

  const leave = () => {
    signOut();
    queries.clear();
    setSignedIn(false);
  };

  useEffect(() => {
    // A token that has ended signs out, whichever page notices it.
    return queries.getQueryCache().subscribe(({ query }) => {
      if (query.state.error instanceof ApiError && query.state.error.status === 401) leave();
    });
  }, [queries]);

  return (
    <>
      <header className="bar">
        <span className="bar-start">
          <Link to={{ page: "jobs" }}>
            <span className="brand">
              <Mark />
              <span>Local workspace</span>
            </span>
          </Link>
          {signedIn && (
            <nav aria-label="Workspace">
              <Link to={{ page: "jobs" }} current={place.page === "jobs" || place.page === "job"}>
                Jobs
              </Link>
              <Link to={{ page: "runs" }} current={place.page === "runs" || place.page === "run"}>
                Job runs
              </Link>
              <Link to={{ page: "tokens" }} current={place.page === "tokens"}>
                Settings
              </Link>
            </nav>
          )}
        </span>
        <div className="bar-end">
          <ThemeSwitch />
          {signedIn && (
            <button type="button" className="quiet" onClick={leave}>
              Sign out
            </button>
          )}
        </div>
      </header>
      <main>{signedIn ? <Page place={place} /> : <SignIn onSignedIn={() => setSignedIn(true)} />}</main>
    </>
  );
}

function Page({ place }: { place: Place }) {
  switch (place.page) {
    case "jobs":
      return <JobsPage />;
    case "job":
      return <JobPage key={place.job} id={place.job} />;
    case "runs":
      return <RunsPage />;
    case "run":
      return <RunPage key={place.run} id={place.run} />;
    case "tokens":
      return <TokensPage />;
    case "unknown":
      return (
        <aside className="empty">
          <h1>There is no such page</h1>
          <p>
            Go to <Link to={{ page: "jobs" }}>all jobs</Link>.
          </p>
        </aside>
      );
  }
}
