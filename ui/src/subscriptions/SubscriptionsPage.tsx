import { useState } from "react";
import { Link } from "wouter";
import { useQueries, useQuery } from "@tanstack/react-query";

import { Chip } from "../kit/Chip";
import { Empty } from "../kit/Empty";
import { Page } from "../kit/Page";
import { Read } from "../kit/Read";
import { When } from "../kit/When";
import { subscriptions, type Listed } from "./api";
import { NewSubscriptionDialog } from "./NewSubscriptionDialog";
import { lagInWords, meaningOf, stateInWords, TONES } from "./words";
import "./subscriptions.css";

/** Who is told of which trigger's events, and how that goes. */
export default function SubscriptionsPage() {
  const page = useQuery({ queryKey: ["subscriptions"], queryFn: subscriptions.list, refetchInterval: 5000 });
  const [making, setMaking] = useState(false);
  return (
    <Page
      title="Subscriptions"
      actions={
        <button type="button" className="primary" onClick={() => setMaking(true)}>
          New subscription
        </button>
      }
    >
      <Read query={page}>
        {({ content }) =>
          content.length === 0 ? (
            <Empty title="Nobody has subscribed yet">
              <p>
                A subscription sends a trigger's events to a webhook, signed and in order. Make one here, or open a trigger of a{" "}
                <Link href="/models">knowledge model</Link> and subscribe there.
              </p>
            </Empty>
          ) : (
            <List all={content} />
          )
        }
      </Read>
      {making && <NewSubscriptionDialog onClose={() => setMaking(false)} />}
    </Page>
  );
}

function List({ all }: { all: Listed[] }) {
  const details = useQueries({
    queries: all.map(({ id }) => ({ queryKey: ["subscriptions", id], queryFn: () => subscriptions.details(id), staleTime: 4000 })),
  });
  return (
    <div className="table-frame">
      <table className="list">
        <thead>
          <tr>
            <th>State</th>
            <th>Name</th>
            <th>Trigger</th>
            <th>Callback</th>
            <th className="amount">Lag</th>
            <th>Last success</th>
            <th>Owner</th>
          </tr>
        </thead>
        <tbody>
          {all.map((one, place) => (
            <tr key={one.id}>
              <td>
                <Chip tone={TONES[one.status.toLowerCase()] ?? "plain"} title={meaningOf(one.status)}>
                  {stateInWords(one.status)}
                </Chip>
              </td>
              <td>
                <Link href={`/subscriptions/${one.id}`}>{one.name}</Link>
              </td>
              <td>
                <Link href={`/models/${one.knowledgeModelId}/triggers/${one.triggerId}`}>{one.triggerId}</Link>
              </td>
              <td className="subscriptions-uri">{one.callbackInfo.uri}</td>
              <td className="amount">{details[place]?.data === undefined ? "" : lagInWords(details[place].data.queued)}</td>
              <td>{one.latestSucceedEvent ? <When at={one.latestSucceedEvent} /> : "never"}</td>
              <td>{one.ownerName}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
