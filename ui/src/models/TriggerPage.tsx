import { useState } from "react";
import { Link, useParams } from "wouter";
import { useQuery } from "@tanstack/react-query";

import { useAddressValue } from "../kit/address";
import { Chip } from "../kit/Chip";
import { Confirm } from "../kit/Confirm";
import { Empty } from "../kit/Empty";
import { Page } from "../kit/Page";
import { Read } from "../kit/Read";
import { Tabs } from "../kit/Tabs";
import { useAct } from "../kit/useAct";
import { When } from "../kit/When";
import { NewSubscriptionDialog } from "../subscriptions/NewSubscriptionDialog";
import { triggers, type Signal } from "./api";
import { OutcomesTab } from "./OutcomesTab";
import { useModelName } from "./useModelName";
import { valueInWords } from "./values";
import { WhyTab } from "./WhyTab";
import "./models.css";

const LATEST = 100;
const LIVE_MS = 2000;

/** A trigger: what it fired, what it holds, and why. */
export default function TriggerPage() {
  const params = useParams<{ model: string; trigger: string }>();
  const model = decodeURIComponent(params.model);
  const trigger = decodeURIComponent(params.trigger);
  const state = useQuery({ queryKey: ["models", model, trigger], queryFn: () => triggers.show(model, trigger), refetchInterval: LIVE_MS });
  const [tab, setTab] = useAddressValue("tab");
  const [subscribing, setSubscribing] = useState(false);
  const modelName = useModelName(model);
  const shown = state.data;
  return (
    <Page
      title={shown?.name ?? trigger}
      above={[
        { name: "Knowledge models", to: "/models" },
        { name: modelName, to: `/models/${model}` },
      ]}
      standing={shown?.shadow && <Chip>Shadow: nothing is sent</Chip>}
      actions={
        <button type="button" className="primary" onClick={() => setSubscribing(true)}>
          Subscribe a webhook
        </button>
      }
    >
      <Read query={state}>
        {(all) => (
          <>
            <p className="models-lead">
              {all.fired.toLocaleString()} fired, {all.matched.toLocaleString()} match now. It is evaluated {all.cadence}.
            </p>
            <Tabs
              label="Parts of the trigger"
              open={tab ?? "fired"}
              onOpen={(id) => setTab(id === "fired" ? null : id)}
              tabs={[
                { id: "fired", name: "Fired events", content: <Fired model={model} trigger={trigger} names={new Map(all.fields.map(({ id, name }) => [id, name ?? id]))} /> },
                { id: "outcomes", name: "Outcomes", content: <OutcomesTab model={model} trigger={trigger} /> },
                { id: "matched", name: "Match now", content: <Matched model={model} trigger={trigger} /> },
                { id: "held", name: `Held (${all.held})`, content: <Held model={model} trigger={trigger} /> },
                { id: "shadows", name: "Shadows", content: <Shadows model={model} trigger={trigger} /> },
                { id: "why", name: "Why", content: <WhyTab model={model} trigger={trigger} /> },
              ]}
            />
          </>
        )}
      </Read>
      {subscribing && <NewSubscriptionDialog model={model} trigger={trigger} onClose={() => setSubscribing(false)} />}
    </Page>
  );
}

interface Props {
  model: string;
  trigger: string;
}

function CaseLink({ model, id }: { model: string; id: string }) {
  return <Link href={`/models/${model}/cases/${encodeURIComponent(id)}`}>{id}</Link>;
}

function Fired({ model, trigger, names }: Props & { names: Map<string, string> }) {
  const tail = useQuery({
    queryKey: ["models", model, trigger, "events"],
    queryFn: () => triggers.latest(model, trigger, LATEST),
    refetchInterval: LIVE_MS,
  });
  return (
    <Read query={tail}>
      {({ events }) =>
        events.length === 0 ? (
          <Empty title="It has not fired yet"><p>Events appear here as they come. To be told of them elsewhere, subscribe a webhook, or let a flow start with its signal.</p></Empty>
        ) : (
          <div className="table-frame">
            <table className="list">
              <thead>
                <tr>
                  <th className="amount">Offset</th>
                  <th>Case</th>
                  <th>At, by the process clock</th>
                  <th>What it carries</th>
                </tr>
              </thead>
              <tbody>
                {[...events].reverse().map(({ offset, at, body }) => (
                  <tr key={offset}>
                    <td className="amount">{offset}</td>
                    <td>
                      <CaseLink model={model} id={body.event.identifier} />
                    </td>
                    <td>
                      <When at={at} />
                    </td>
                    <td className="models-fields">
                      <dl>
                        {body.event.fields
                          .filter((field) => !field.isIdentifier && field.id !== "evaluatedAt")
                          .map((field) => (
                            <div key={field.id}>
                              <dt>{names.get(field.id) ?? field.id}</dt>
                              <dd>{valueInWords(field.value)}</dd>
                            </div>
                          ))}
                      </dl>
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        )
      }
    </Read>
  );
}

function Matched({ model, trigger }: Props) {
  const matched = useQuery({ queryKey: ["models", model, trigger, "matched"], queryFn: () => triggers.matched(model, trigger), refetchInterval: LIVE_MS });
  return (
    <Read query={matched}>
      {(all) =>
        all.length === 0 ? (
          <Empty title="Nothing satisfies the trigger now"><p>Under “Why” a case tells which of the filters it does not pass.</p></Empty>
        ) : (
          <div className="table-frame">
            <table className="list">
              <thead>
                <tr>
                  <th>Case</th>
                  <th>Since</th>
                  <th className="amount">Entered</th>
                  <th>Why</th>
                </tr>
              </thead>
              <tbody>
                {all.map(({ identifier, since, episode }) => (
                  <tr key={identifier}>
                    <td>
                      <CaseLink model={model} id={identifier} />
                    </td>
                    <td>
                      <When at={since} />
                    </td>
                    <td className="amount">{episode === 1 ? "once" : `${episode} times`}</td>
                    <td>
                      <Link href={`/models/${model}/triggers/${trigger}?tab=why&case=${encodeURIComponent(identifier)}`}>Why</Link>
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        )
      }
    </Read>
  );
}

function Signals({ model, signals }: { model: string; signals: Signal[] }) {
  return (
    <div className="table-frame">
      <table className="list">
        <thead>
          <tr>
            <th>Case</th>
            <th>At</th>
            <th>By</th>
          </tr>
        </thead>
        <tbody>
          {signals.map(({ key, identifier, at, reason }) => (
            <tr key={key}>
              <td>
                <CaseLink model={model} id={identifier} />
              </td>
              <td>
                <When at={at} />
              </td>
              <td>{reason}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Shadows({ model, trigger }: Props) {
  const shadows = useQuery({ queryKey: ["models", model, trigger, "shadows"], queryFn: () => triggers.shadows(model, trigger) });
  return (
    <Read query={shadows}>
      {(all) =>
        all.length === 0 ? (
          <Empty title="It does not run in the shadow"><p>With <code>shadow: true</code> in the model a trigger sends nothing, and lists here what it would have sent.</p></Empty>
        ) : (
          <Signals model={model} signals={all} />
        )
      }
    </Read>
  );
}

function Held({ model, trigger }: Props) {
  const held = useQuery({ queryKey: ["models", model, trigger, "held"], queryFn: () => triggers.held(model, trigger), refetchInterval: LIVE_MS });
  const [asked, setAsked] = useState<"release" | "drop" | null>(null);
  const { act, busy } = useAct("models");
  return (
    <Read query={held}>
      {({ total, reason, signals }) =>
        total === 0 ? (
          <Empty title="Nothing is held back"><p>Signals beyond a cap of the trigger wait here until there is room, or until somebody releases or drops them.</p></Empty>
        ) : (
          <>
            <p>
              {total.toLocaleString()} signals are held back by {reason}.
            </p>
            <div className="actions models-bar">
              <button type="button" onClick={() => setAsked("release")}>
                Release all
              </button>
              <button type="button" className="grave" onClick={() => setAsked("drop")}>
                Drop all
              </button>
            </div>
            <Signals model={model} signals={signals} />
            {asked !== null && (
              <Confirm
                title={asked === "release" ? "Release what is held" : "Drop what is held"}
                verb={asked === "release" ? "Release" : "Drop"}
                grave={asked === "drop"}
                busy={busy}
                onDo={() => void act(() => triggers[asked](model, trigger), "Done").then(() => setAsked(null))}
                onClose={() => setAsked(null)}
              >
                <p>{asked === "release" ? "They are sent now, whatever the cap says." : "They are never sent. This cannot be undone."}</p>
              </Confirm>
            )}
          </>
        )
      }
    </Read>
  );
}
