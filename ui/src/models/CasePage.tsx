import { Link, useParams } from "wouter";
import { useQuery } from "@tanstack/react-query";

import { Chip } from "../kit/Chip";
import { Page } from "../kit/Page";
import { Read } from "../kit/Read";
import { duration, When } from "../kit/When";
import { models } from "./api";
import { CaseActions } from "./CaseActions";
import { useModelName } from "./useModelName";
import "./models.css";

/** One case: what happened, and what was signalled of it. */
export default function CasePage() {
  const params = useParams<{ model: string; case: string }>();
  const model = decodeURIComponent(params.model);
  const id = decodeURIComponent(params.case);
  const modelName = useModelName(model);
  const read = useQuery({ queryKey: ["models", model, "case", id], queryFn: () => models.case(model, id) });
  return (
    <Page
      title={`Case ${id}`}
      above={[
        { name: "Knowledge models", to: "/models" },
        { name: modelName, to: `/models/${model}` },
        { name: "Cases", to: `/models/${model}?tab=cases` },
      ]}
    >
      <Read query={read}>
        {(shown) => (
          <>
            <p className="models-lead">
              {shown.events.length} events in {duration(shown.duration)}. {shown.variantCases.toLocaleString()} of{" "}
              {shown.cases.toLocaleString()} cases take the same way.
            </p>
            <div className="models-case">
              <section aria-label="Activities">
                <h2 className="models-head">Activities</h2>
                <ol className="models-timeline">
                  {shown.events.map(({ activity, at, wait }, place) => (
                    <li key={place}>
                      <strong>{activity}</strong>
                      <span className="muted">
                        <When at={at} />
                        {wait !== null && `, ${duration(wait)} later`}
                      </span>
                    </li>
                  ))}
                </ol>
              </section>
              <div>
              <CaseActions actions={shown.actions} />
              <section aria-label="Signals">
                <h2 className="models-head">Signals</h2>
                {shown.signals.length === 0 && <p className="muted">None was sent for this case.</p>}
                <ol className="models-timeline">
                  {shown.signals.map((signal) => (
                    <li key={signal.event}>
                      <Link href={`/models/${model}/triggers/${signal.trigger}`}>{signal.trigger}</Link>
                      <span className="muted">
                        <When at={signal.at} />, by {signal.reason}, offset {signal.offset}
                      </span>
                    </li>
                  ))}
                </ol>
                <h2 className="models-head">Triggers</h2>
                {shown.instances.length === 0 && <p className="muted">It was in no trigger's set.</p>}
                {shown.instances.map(({ trigger, identifier, matches }) => (
                  <p key={trigger}>
                    <Chip tone={matches ? "busy" : "plain"}>{matches ? "Matches" : "Left"}</Chip> {trigger}{" "}
                    <Link href={`/models/${model}/triggers/${trigger}?tab=why&case=${encodeURIComponent(identifier)}`}>Why</Link>
                  </p>
                ))}
              </section>
              </div>
            </div>
          </>
        )}
      </Read>
    </Page>
  );
}
