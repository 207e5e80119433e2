import { useCallback, useEffect, useRef, useState } from "react";
import { Link, matchRoute, Route, Switch, useLocation, useRouter } from "wouter";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Cable, Database, FileText, House, Inbox, KeyRound, ListChecks, LogOut, Network, Radio, Workflow, type LucideIcon } from "lucide-react";

import { ApiError } from "../api/client";
import { useMay } from "../api/status";
import { useLiveQueries } from "../api/stream";
import { Home } from "../home/Home";
import { Empty } from "../kit/Empty";
import { Mark } from "../kit/Mark";
import { Page } from "../kit/Page";
import { ThemeSwitch } from "../kit/ThemeSwitch";
import { dismissAll, Toasts } from "../kit/toasts";
import { authorization, signOut } from "../session";
import { SignIn } from "../signin/SignIn";
import { listTasks } from "../tasks/api";
import { PLACES, ROUTES } from "./routes";

const ICONS: Record<string, LucideIcon> = {
  home: House,
  flows: Workflow,
  runs: ListChecks,
  tasks: Inbox,
  pages: FileText,
  pools: Database,
  models: Network,
  subscriptions: Radio,
  connections: Cable,
};

const TOPICS = ["runs", "flows", "push-jobs", "models", "subscriptions", "tasks"];

/** The shell: who is signed in decides what there is to see. */
export function App() {
  const [signedIn, setSignedIn] = useState(authorization() !== null);
  const queries = useQueryClient();
  const [, go] = useLocation();

  const leave = useCallback(() => {
    signOut();
    queries.clear();
    dismissAll();
    setSignedIn(false);
  }, [queries]);

  // A key that was revoked meanwhile leads back to the door, from every page.
  useEffect(
    () =>
      queries.getQueryCache().subscribe((event) => {
        const error: unknown = event.query.state.error;
        if (error instanceof ApiError && error.status === 401) queueMicrotask(leave);
      }),
    [queries, leave],
  );

  if (!signedIn) {
    return (
      <>
        <header className="bar">
          <Brand />
          <div className="bar-end">
            <ThemeSwitch />
          </div>
        </header>
        <main>
          <SignIn onSignedIn={() => setSignedIn(true)} />
        </main>
      </>
    );
  }
  return (
    <div className="shell">
      <a className="skip" href="#content">
        Skip to the content
      </a>
      <Rail
        onLeave={() => {
          leave();
          // Who comes next may not see what this page is about.
          go("/");
        }}
      />
      <main id="content" tabIndex={-1} aria-labelledby="page-title">
        <Pages onRefused={leave} />
      </main>
      <Toasts />
    </div>
  );
}

function Brand() {
  return (
    <Link className="brand" href="/" aria-label="Loopwright, home">
      <Mark />
      <span>Loopwright</span>
    </Link>
  );
}

function Rail({ onLeave }: { onLeave: () => void }) {
  const may = useMay();
  const [here] = useLocation();
  const tasks = useQuery({ queryKey: ["tasks", "open"], queryFn: () => listTasks(false) });
  const asked = tasks.data?.length ?? 0;
  return (
    <header className="rail">
      <Brand />
      <nav aria-label="Main">
        {PLACES.map(({ name, to, icon }) => {
          const Icon = ICONS[icon]!;
          const open = to === "/" ? here === "/" : here === to || here.startsWith(`${to}/`);
          return (
            <Link key={to} href={to} className="rail-link" aria-current={open ? "page" : undefined} title={name}>
              <Icon aria-hidden="true" size={18} />
              <span>{name}</span>
              {to === "/inbox" && asked > 0 && (
                <span className="rail-count" aria-label={`${asked} open`}>
                  {asked}
                </span>
              )}
            </Link>
          );
        })}
      </nav>
      <div className="rail-end">
        {may?.administrate === true && (
          <Link href="/app-keys" className="rail-link" title="App keys">
            <KeyRound aria-hidden="true" size={16} />
            <span>App keys</span>
          </Link>
        )}
        <button type="button" className="rail-link" onClick={onLeave} title="Sign out">
          <LogOut aria-hidden="true" size={16} />
          <span>Sign out</span>
        </button>
        <ThemeSwitch />
      </div>
    </header>
  );
}

function Pages({ onRefused }: { onRefused: () => void }) {
  useLiveQueries(TOPICS);
  useCodeAhead();
  useFocusOnPage();
  return (
    <Switch>
      <Route path="/">
        <Home onRefused={onRefused} />
      </Route>
      {ROUTES.map(({ path, page: Shown }) => (
        <Route key={path} path={path}>
          <Shown waiting={<p className="muted page">Loading …</p>} />
        </Route>
      ))}
      <Route>
        <Page title="Nothing is here">
          <Empty title="No page has this address">
            <p>
              It may have been moved or removed. <Link href="/">Go home</Link>.
            </p>
          </Empty>
        </Page>
      </Route>
    </Switch>
  );
}

/** Loads the code of a page when somebody comes near a link to it. */
function useCodeAhead(): void {
  const { parser } = useRouter();
  useEffect(() => {
    const near = (event: Event) => {
      const link = event.target instanceof Element ? event.target.closest("a") : null;
      if (link === null || link.origin !== location.origin) return;
      const route = ROUTES.find(({ path }) => matchRoute(parser, path, link.pathname)[0]);
      // Whoever goes there is told if it does not come.
      route?.page.load().catch(() => undefined);
    };
    const ways = ["pointerover", "pointerdown", "focusin"];
    ways.forEach((way) => document.addEventListener(way, near, { passive: true }));
    return () => ways.forEach((way) => document.removeEventListener(way, near));
  }, [parser]);
}

/** Whoever goes to another page goes on there: Tab leads into it, and a screen reader reads its title. */
function useFocusOnPage(): void {
  const [here] = useLocation();
  const before = useRef(here);
  useEffect(() => {
    if (before.current === here) return;
    before.current = here;
    const content = document.getElementById("content");
    if (content !== null && !content.contains(document.activeElement)) content.focus({ preventScroll: true });
  }, [here]);
}
