import { Link } from "wouter";
import { useQuery } from "@tanstack/react-query";

import { useAddressValue } from "../kit/address";
import { Read } from "../kit/Read";
import { duration, When } from "../kit/When";
import { models } from "./api";

/** Cases, of one variant if the address says so. */
export function CasesTab({ model }: { model: string }) {
  const [variant, setVariant] = useAddressValue("variant");
  const cases = useQuery({ queryKey: ["models", model, "cases", variant], queryFn: () => models.cases(model, variant) });
  return (
    <Read query={cases}>
      {({ total, cases: all }) => (
        <>
          <p className="models-lead">
            {total.toLocaleString()} cases{variant !== null && " of one variant"}
            {all.length < total && `, the first ${all.length} are shown`}.{" "}
            {variant !== null && (
              <button type="button" onClick={() => setVariant(null)}>
                Show all cases
              </button>
            )}
          </p>
          <div className="table-frame">
            <table className="list">
              <thead>
                <tr>
                  <th>Case</th>
                  <th className="amount">Events</th>
                  <th>Last activity</th>
                  <th>Began</th>
                  <th>Last event</th>
                  <th className="amount">Duration</th>
                </tr>
              </thead>
              <tbody>
                {all.map((one) => (
                  <tr key={one.id}>
                    <td>
                      <Link href={`/models/${model}/cases/${encodeURIComponent(one.id)}`}>{one.id}</Link>
                    </td>
                    <td className="amount">{one.events}</td>
                    <td>{one.lastActivity}</td>
                    <td>
                      <When at={one.start} />
                    </td>
                    <td>
                      <When at={one.end} />
                    </td>
                    <td className="amount">{duration(one.duration)}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        </>
      )}
    </Read>
  );
}
