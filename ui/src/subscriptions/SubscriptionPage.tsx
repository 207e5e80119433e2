import { useState } from "react";
import { Link, useParams } from "wouter";
import { useQuery } from "@tanstack/react-query";
import { ChevronDown } from "lucide-react";

import { useAddressValue } from "../kit/address";
import { Chip } from "../kit/Chip";
import { Menu } from "../kit/Menu";
import { Page } from "../kit/Page";
import { Read } from "../kit/Read";
import { Tabs } from "../kit/Tabs";
import { duration, When } from "../kit/When";
import { ActionDialog } from "./ActionDialog";
import { subscriptions, type Details } from "./api";
import { DeliveriesTab } from "./DeliveriesTab";
import { ACTIONS, allowed, lagInWords, meaningOf, stateInWords, TONES, type Action } from "./words";
import "./subscriptions.css";

/** One subscription: how it stands, what was tried, and what can be done. */
export default function SubscriptionPage() {
  const { id = "" } = useParams<{ id: string }>();
  const details = useQuery({ queryKey: ["subscriptions", id], queryFn: () => subscriptions.details(id), refetchInterval: 3000 });
  const [tab, setTab] = useAddressValue("tab");
  const [action, setAction] = useState<Action | null>(null);
  const shown = details.data;
  const actions = shown === undefined ? [] : allowed(shown.status);
  const [first, ...more] = actions;
  return (
    <Page
      title={shown?.name ?? "Subscription"}
      above={[{ name: "Subscriptions", to: "/subscriptions" }]}
      standing={shown !== undefined && <Chip tone={TONES[shown.status.toLowerCase()] ?? "plain"}>{stateInWords(shown.status)}</Chip>}
      actions={
        first !== undefined && (
          <>
            <button type="button" onClick={() => setAction(first)}>
              {ACTIONS[first].name}
            </button>
            <Menu
              label="More to do"
              trigger={
                <>
                  More <ChevronDown aria-hidden="true" size={15} />
                </>
              }
              items={more.map((one) => ({ name: ACTIONS[one].name, grave: ACTIONS[one].grave === true, onSelect: () => setAction(one) }))}
            />
          </>
        )
      }
    >
      <Read query={details}>
        {(all) => (
          <>
            <p className="subscriptions-lead">
              {meaningOf(all.status)} {all.reason !== "" && <strong>{all.reason}</strong>}
            </p>
            <Figures details={all} />
            <Tabs
              label="Parts of the subscription"
              open={tab ?? "deliveries"}
              onOpen={(next) => setTab(next === "deliveries" ? null : next)}
              tabs={[
                { id: "deliveries", name: "Deliveries", content: <DeliveriesTab id={id} /> },
                { id: "settings", name: "Settings", content: <Settings details={all} /> },
              ]}
            />
          </>
        )}
      </Read>
      {action !== null && shown !== undefined && <ActionDialog action={action} details={shown} onClose={() => setAction(null)} />}
    </Page>
  );
}

function Figures({ details }: { details: Details }) {
  return (
    <dl className="subscriptions-figures">
      <Figure name="Lag">{lagInWords(details.queued)}</Figure>
      <Figure name="Delivered">{details.delivered.toLocaleString()}</Figure>
      <Figure name="Failures in a row">{details.failures.toLocaleString()}</Figure>
      <Figure name="Next offset, newest">
        {details.cursor.toLocaleString()} of {details.head.toLocaleString()}
      </Figure>
      <Figure name="Last success">{details.lastSuccessAt ? <When at={details.lastSuccessAt} /> : "never"}</Figure>
    </dl>
  );
}

function Figure({ name, children }: { name: string; children: React.ReactNode }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

function Settings({ details }: { details: Details }) {
  const { policy } = details;
  const rows: [string, React.ReactNode][] = [
    ["Trigger", <Link href={`/models/${details.knowledgeModel}/triggers/${details.trigger}`}>{`${details.knowledgeModel}/${details.trigger}`}</Link>],
    ["Callback", details.callback ?? `hook ${details.hook ?? ""}`],
    ["Owner", details.owner],
    ["When an event fails for good", policy.onError === "skip" ? "it is skipped and lost" : "the subscription fails and events wait"],
    ["When it is suspended", policy.onSuspension === "keep" ? "events are kept" : "what waits is lost"],
    ["Tries again after", ((policy.retryPausesMs as number[] | undefined) ?? []).map(duration).join(", ")],
    ["Waits for an answer", duration(policy.timeoutMs ?? 0)],
    ["Suspended after", duration(policy.suspendAfterMs ?? 0)],
    ["Calls per second", policy.ratePerSecond == null ? "as fast as the receiver answers" : String(policy.ratePerSecond)],
    ["Events in one call", String(policy.batchEventsMax ?? 1)],
  ];
  return (
    <div className="table-frame">
      <table className="list">
        <tbody>
          {rows.map(([name, value]) => (
            <tr key={name}>
              <th scope="row">{name}</th>
              <td>{value}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
