import { useState } from "react";
import { useQuery } from "@tanstack/react-query";

import { useAddressValue } from "../kit/address";
import { Chip } from "../kit/Chip";
import { Confirm } from "../kit/Confirm";
import { Read } from "../kit/Read";
import { useAct } from "../kit/useAct";
import { When } from "../kit/When";
import { models } from "./api";

/** What was published when, and what was different. */
export function VersionsTab({ model }: { model: string }) {
  const versions = useQuery({ queryKey: ["models", model, "versions"], queryFn: () => models.versions(model) });
  const [compared, setCompared] = useAddressValue("compared");
  const [again, setAgain] = useState<number | null>(null);
  const { act, busy } = useAct("models");
  return (
    <Read query={versions}>
      {(all) => (
        <>
          <div className="table-frame">
            <table className="list">
              <thead>
                <tr>
                  <th>Version</th>
                  <th>Published</th>
                  <th>By</th>
                  <th>What can be done</th>
                </tr>
              </thead>
              <tbody>
                {all.map(({ version, name, publishedAt, publishedBy, current }) => (
                  <tr key={version}>
                    <td>
                      {version} {name} {current && <Chip tone="published">Current</Chip>}
                    </td>
                    <td>
                      <When at={publishedAt} />
                    </td>
                    <td>{publishedBy}</td>
                    <td>
                      <button type="button" onClick={() => setCompared(String(version))}>
                        Compare with the draft
                      </button>{" "}
                      {!current && (
                        <button type="button" onClick={() => setAgain(version)}>
                          Publish again
                        </button>
                      )}
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
          {compared !== null && <Difference model={model} from={compared} />}
          {again !== null && (
            <Confirm
              title={`Publish version ${again} again`}
              verb="Publish"
              busy={busy}
              onDo={() => void act(() => models.publishAgain(model, again), `The text of version ${again} is published`).then(() => setAgain(null))}
              onClose={() => setAgain(null)}
            >
              <p>Its text becomes a new version. The draft stays as it is.</p>
            </Confirm>
          )}
        </>
      )}
    </Read>
  );
}

function Difference({ model, from }: { model: string; from: string }) {
  const difference = useQuery({ queryKey: ["models", model, "diff", from], queryFn: () => models.difference(model, from, "draft") });
  return (
    <section aria-label="Difference">
      <h2 className="models-head">From version {from} to the draft</h2>
      <Read query={difference}>
        {({ text }) =>
          text === "" ? (
            <p className="muted">They are the same.</p>
          ) : (
            <pre className="models-diff" tabIndex={0} aria-label="Difference, line by line">
              {text.split("\n").map((line, place) => (
                <span key={place} className={line.startsWith("+") ? "added" : line.startsWith("-") ? "gone" : ""}>
                  {line}
                  {"\n"}
                </span>
              ))}
            </pre>
          )
        }
      </Read>
    </section>
  );
}
