// What was published when, by whom and why; what differs; the way back.

import { useState } from "react";
import { useQuery, useQueryClient } from "@tanstack/react-query";

import { Chip } from "../kit/Chip";
import { Dialog } from "../kit/Dialog";
import { Empty } from "../kit/Empty";
import { Problem } from "../kit/Problem";
import { say, warn } from "../kit/toasts";
import { When } from "../kit/When";
import { listVersions, readDifference, readDocument, rollBack, type FlowShown } from "./api";
import { DifferenceList } from "./Difference";
import { storeAll } from "./editor/saving";
import { useEditorStore } from "./editor/store";

export function VersionsDialog({ flow, onClose }: { flow: FlowShown; onClose: () => void }) {
  const store = useEditorStore();
  const queries = useQueryClient();
  const versions = useQuery({ queryKey: ["flow", flow.key, "versions"], queryFn: () => listVersions(flow.key) });
  const [chosen, setChosen] = useState<number | null>(null);
  const [against, setAgainst] = useState("draft");
  const [asking, setAsking] = useState(false);
  const version = chosen ?? versions.data?.[0]?.version ?? null;
  const difference = useQuery({
    queryKey: ["flow", flow.key, "difference", version, against],
    queryFn: async () => {
      if (against === "draft") await storeAll(store);
      return readDifference(flow.key, String(version), against);
    },
    enabled: version !== null,
  });
  const goBack = async () => {
    try {
      const { version: made } = await rollBack(flow.key, version!, `Back to version ${version}`);
      say(`Version ${version} runs again, as version ${made}. The draft stays as it is.`);
      setAsking(false);
      await queries.invalidateQueries({ queryKey: ["flow", flow.key] });
    } catch (error) {
      warn(error);
    }
  };
  const toDraft = async () => {
    try {
      const { document } = await readDocument(flow.key, String(version));
      store.getState().edit(`Take the draft from version ${version}`, () => document);
      say(`The draft is as in version ${version}. Undo leads back.`);
      onClose();
    } catch (error) {
      warn(error);
    }
  };
  const list = versions.data ?? [];
  return (
    <Dialog wide title={`Versions of ${flow.name}`} onClose={onClose}>
      {versions.error !== null && <Problem error={versions.error} onRetry={() => void versions.refetch()} />}
      {versions.data !== undefined && list.length === 0 && (
        <Empty title="Nothing is published yet">
          <p>Publish the draft, and each version is kept here: with its note, what changed, and the way back.</p>
        </Empty>
      )}
      {list.length > 0 && (
        <div className="versions">
          <ul aria-label="Versions">
            {list.map((each) => (
              <li key={each.version}>
                <button type="button" aria-pressed={each.version === version} onClick={() => (setChosen(each.version), setAsking(false))}>
                  <span className="versions-head">
                    <strong>Version {each.version}</strong>
                    {each.current && <Chip tone="published">runs</Chip>}
                  </span>
                  <span>{each.note ?? (each.ofVersion === null ? "No note" : `As version ${each.ofVersion}`)}</span>
                  <small className="muted">
                    {each.publishedBy}, <When at={each.publishedAt} />
                  </small>
                </button>
              </li>
            ))}
          </ul>
          <section aria-label="What differs">
            <div className="versions-against">
              <label htmlFor="against">Version {version} compared with</label>
              <select id="against" value={against} onChange={(event) => setAgainst(event.target.value)}>
                <option value="draft">the draft</option>
                <option value="published">what runs</option>
                {list
                  .filter((each) => each.version !== version)
                  .map((each) => (
                    <option key={each.version} value={String(each.version)}>
                      version {each.version}
                    </option>
                  ))}
              </select>
            </div>
            {difference.error !== null && <Problem error={difference.error} />}
            {difference.data !== undefined && <DifferenceList difference={difference.data} />}
            <div className="actions versions-actions">
              <button type="button" onClick={() => void toDraft()}>
                Take into the draft
              </button>
              {list.find((each) => each.version === version)?.current !== true &&
                (asking ? (
                  <>
                    <button type="button" className="primary" onClick={() => void goBack()}>
                      Publish version {version} again
                    </button>
                    <button type="button" onClick={() => setAsking(false)}>
                      Cancel
                    </button>
                  </>
                ) : (
                  <button type="button" onClick={() => setAsking(true)}>
                    Roll back to it
                  </button>
                ))}
            </div>
          </section>
        </div>
      )}
    </Dialog>
  );
}
