import { useQuery } from "@tanstack/react-query";

import { useAddressValue } from "../kit/address";
import { Chip, type Tone } from "../kit/Chip";
import { Empty } from "../kit/Empty";
import { Read } from "../kit/Read";
import { duration, When } from "../kit/When";
import { subscriptions } from "./api";
import { stateInWords } from "./words";

const TONES: Record<string, Tone> = { delivered: "good", failed: "bad", rejected: "bad", skipped: "warn" };

/** Every attempt, the latest first, with the receiver's answer. */
export function DeliveriesTab({ id }: { id: string }) {
  const [verdict, setVerdict] = useAddressValue("verdict");
  const [pageText, setPage] = useAddressValue("page");
  const page = Number(pageText ?? "0");
  const log = useQuery({
    queryKey: ["subscriptions", id, "deliveries", page, verdict],
    queryFn: () => subscriptions.deliveries(id, page, verdict),
    refetchInterval: 3000,
  });
  return (
    <>
      <div className="subscriptions-bar">
        <label htmlFor="verdict">Show</label>
        <select id="verdict" value={verdict ?? ""} onChange={(event) => setVerdict(event.target.value)}>
          <option value="">all attempts</option>
          <option value="delivered">delivered</option>
          <option value="failed">failed</option>
        </select>
      </div>
      <Read query={log}>
        {({ deliveries, total, pageSize }) =>
          deliveries.length === 0 ? (
            <Empty title={verdict === null ? "Nothing was sent yet" : "No attempt ended so"}><p>Every attempt is listed here, with the answer of the receiver.</p></Empty>
          ) : (
            <>
              <div className="table-frame">
                <table className="list">
                  <thead>
                    <tr>
                      <th>Verdict</th>
                      <th className="amount">Offset</th>
                      <th className="amount">Attempt</th>
                      <th className="amount">Status</th>
                      <th className="amount">Took</th>
                      <th>Answer</th>
                      <th>When</th>
                    </tr>
                  </thead>
                  <tbody>
                    {deliveries.map((one) => (
                      <tr key={`${one.offset}/${one.generation}/${one.attempt}/${one.startedAt}`}>
                        <td>
                          <Chip tone={TONES[one.verdict] ?? "plain"}>{stateInWords(one.verdict)}</Chip>
                        </td>
                        <td className="amount">{one.through > one.offset ? `${one.offset}–${one.through}` : one.offset}</td>
                        <td className="amount">{one.attempt}</td>
                        <td className="amount">{one.status ?? ""}</td>
                        <td className="amount">{duration(one.tookMs)}</td>
                        <td className="subscriptions-answer">
                          {one.detail}
                          {one.answer !== "" && (
                            <details>
                              <summary>Body</summary>
                              <pre>{one.answer}</pre>
                            </details>
                          )}
                        </td>
                        <td>
                          <When at={one.startedAt} />
                        </td>
                      </tr>
                    ))}
                  </tbody>
                </table>
              </div>
              <div className="subscriptions-bar">
                <button type="button" disabled={page === 0} onClick={() => setPage(page === 1 ? null : String(page - 1))}>
                  Newer
                </button>
                <button type="button" disabled={(page + 1) * pageSize >= total} onClick={() => setPage(String(page + 1))}>
                  Older
                </button>
                <span className="muted">{total.toLocaleString()} attempts</span>
              </div>
            </>
          )
        }
      </Read>
    </>
  );
}
