import { useQuery } from "@tanstack/react-query";
import { Link } from "wouter";

import { ApiError } from "../api/client";
import { readStatus, type Status } from "../api/status";
import { When } from "../kit/When";
import { Now } from "./Now";
import { Outcomes } from "./Outcomes";
import { Station } from "./Station";
import { useRecent } from "./useRecent";

const LOOK_AGAIN_MS = 1000;

/** The loop, live: rows come in, cases wait, signals fire, events are
 *  delivered, flows run, and their answers come back as rows. */
export function Home({ onRefused }: { onRefused: () => void }) {
  const status = useQuery({
    queryKey: ["status"],
    queryFn: readStatus,
    refetchInterval: LOOK_AGAIN_MS,
    refetchIntervalInBackground: false,
  });
  const error = status.error;
  if (error instanceof ApiError && error.status === 401) {
    queueMicrotask(onRefused);
  }

  return (
    <section className="home" aria-labelledby="page-title">
      <div className="title-row">
        <h1 id="page-title">The loop</h1>
        <p className="muted" role="status">
          {status.data === undefined ? null : error === null ? (
            <>
              <span className="dot live" aria-hidden="true" /> Live, as of <When at={status.data.at} as="time" />
            </>
          ) : (
            <>
              <span className="dot stale" aria-hidden="true" /> Not live since <When at={status.data.at} />
            </>
          )}
        </p>
      </div>
      {error !== null && (
        <p className="problem" role="alert">
          {error.message}
        </p>
      )}
      {status.data === undefined ? (
        error === null && <p className="muted">Reading …</p>
      ) : (
        <Loop status={status.data} />
      )}
    </section>
  );
}

function Loop({ status }: { status: Status }) {
  const rows = useRecent(status.rowsIn);
  const signals = useRecent(status.signals);
  const delivered = useRecent(status.deliveries.succeeded);
  const { runs, deliveries, jobRuns } = status;
  const allRuns = runs.running + runs.succeeded + runs.warning + runs.failed;
  return (
    <>
      <ol className="loop">
        <Station name="Rows in" to="/pools" value={status.rowsIn} recent={rows} note={`${count(status.pools, "pool")}`} />
        <Station name="Cases open" to="/models" value={status.casesOpen} note="of published models" />
        <Station name="Signals" to="/models" value={status.signals} recent={signals} note="each fired once" tone={status.signals > 0 ? "signal" : "plain"} />
        <Station
          name="Deliveries"
          to="/subscriptions"
          value={deliveries.succeeded}
          recent={delivered}
          note={`${deliveries.queued.toLocaleString()} waiting, ${deliveries.failed.toLocaleString()} failed tries`}
        />
        <Station
          name="Runs"
          to="/runs"
          value={allRuns}
          note={`${runs.running} under way, ${runs.warning} with warnings, ${runs.failed} failed`}
        />
        <Station
          name="Job runs"
          value={jobRuns.running + jobRuns.succeeded + jobRuns.failed}
          note={`${jobRuns.running} running, ${jobRuns.failed} failed`}
        />
      </ol>
      <p className="muted back">… and the answers of the runs come back as rows.</p>
      {status.rowsIn === 0 && allRuns === 0 ? <NothingYet /> : (
        <>
          <Now />
          <Outcomes />
        </>
      )}
    </>
  );
}

function NothingYet() {
  return (
    <aside className="empty">
      <h2>Nothing has come in yet</h2>
      <p>
        Make <Link href="/pools">a data pool</Link> and import a file, or push one from a terminal:{" "}
        <code>loopwright push POOL TABLE FILE.csv</code>. Or begin with <Link href="/flows">a flow</Link>. To watch the whole loop at
        work, run <code>loopwright demo</code>.
      </p>
    </aside>
  );
}

function count(number: number, noun: string): string {
  return `${number.toLocaleString()} ${noun}${number === 1 ? "" : "s"}`;
}
