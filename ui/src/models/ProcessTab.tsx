import { Link } from "wouter";
import { useQuery } from "@tanstack/react-query";

import { Read } from "../kit/Read";
import { duration } from "../kit/When";
import { models } from "./api";
import { withCoverage } from "./coverage";

/** What the process looks like: the ways cases take, its activities, and how long cases last. */
export function ProcessTab({ model }: { model: string }) {
  const variants = useQuery({ queryKey: ["models", model, "variants"], queryFn: () => models.variants(model) });
  const activities = useQuery({ queryKey: ["models", model, "activities"], queryFn: () => models.activities(model) });
  const throughput = useQuery({ queryKey: ["models", model, "throughput"], queryFn: () => models.throughput(model) });
  return (
    <>
      <Read query={throughput}>
        {({ bins, durations }) => {
          const top = Math.max(1, ...bins.map(({ cases }) => cases));
          return (
            <section aria-label="Throughput times">
              <h2 className="models-head">How long cases last</h2>
              {durations !== null && (
                <p className="muted">
                  Median {duration(durations.median)}, 95 of 100 within {duration(durations.p95)}, longest {duration(durations.max)}.
                </p>
              )}
              <ol className="models-bins">
                {bins.map(({ from, to, cases }) => (
                  <li key={from} title={`${duration(from)} to ${duration(to)}: ${cases} cases`}>
                    <span className="models-unseen">
                      {duration(from)} to {duration(to)}: {cases} cases
                    </span>
                    <span aria-hidden="true" style={{ height: `${(cases / top) * 100}%` }} />
                  </li>
                ))}
              </ol>
            </section>
          );
        }}
      </Read>
      <Read query={variants}>
        {(all) => (
          <section aria-label="Variants">
            <h2 className="models-head">
              {all.total.toLocaleString()} variants of {all.cases.toLocaleString()} cases
            </h2>
            <div className="table-frame">
              <table className="list">
                <thead>
                  <tr>
                    <th className="amount">Cases</th>
                    <th>Share</th>
                    <th className="amount">Covered</th>
                    <th className="amount">Median</th>
                    <th>Activities</th>
                  </tr>
                </thead>
                <tbody>
                  {withCoverage(all.variants).map(({ id, cases, share, covered, durations, activities: steps }) => (
                    <tr key={id}>
                      <td className="amount">
                        <Link href={`/models/${model}?tab=cases&variant=${id}`}>{cases.toLocaleString()}</Link>
                      </td>
                      <td>
                        <span className="models-part">
                          <span className="models-share">
                            <span style={{ width: `${share * 100}%` }} />
                          </span>
                          {(share * 100).toFixed(1)} %
                        </span>
                      </td>
                      <td className="amount">{(covered * 100).toFixed(0)} %</td>
                      <td className="amount">{duration(durations.median)}</td>
                      <td className="models-steps">{steps.join(" → ")}</td>
                    </tr>
                  ))}
                </tbody>
              </table>
            </div>
          </section>
        )}
      </Read>
      <Read query={activities}>
        {(all) => (
          <section aria-label="Activities">
            <h2 className="models-head">Activities</h2>
            <div className="table-frame">
              <table className="list">
                <thead>
                  <tr>
                    <th>Name</th>
                    <th className="amount">Events</th>
                    <th className="amount">Cases</th>
                    <th className="amount">Cases with rework</th>
                    <th className="amount">Median until the next</th>
                  </tr>
                </thead>
                <tbody>
                  {all.activities.map((one) => (
                    <tr key={one.name}>
                      <td>{one.name}</td>
                      <td className="amount">{one.events.toLocaleString()}</td>
                      <td className="amount">{one.cases.toLocaleString()}</td>
                      <td className="amount">{one.reworkCases.toLocaleString()}</td>
                      <td className="amount">{one.sojourn === null ? "" : duration(one.sojourn.median)}</td>
                    </tr>
                  ))}
                </tbody>
              </table>
            </div>
          </section>
        )}
      </Read>
    </>
  );
}
