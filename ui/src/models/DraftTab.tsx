import { useState } from "react";
import { useQuery } from "@tanstack/react-query";

import { Confirm } from "../kit/Confirm";
import { Read } from "../kit/Read";
import { useAct } from "../kit/useAct";
import { models, type Mistake, type ModelWithTexts } from "./api";

/** The draft's text: written, checked, looked ahead at, published. */
export function DraftTab({ model }: { model: ModelWithTexts }) {
  const [text, setText] = useState(model.draft);
  const [found, setFound] = useState<{ mistakes: Mistake[]; notices: Mistake[] } | null>(null);
  const [publishing, setPublishing] = useState(false);
  const { act, busy } = useAct("models");
  const changed = text !== model.draft;
  const check = async () => {
    if (changed && (await act(() => models.save(model.id, text).then(() => true), "The draft is saved")) === null) return;
    setFound(await act(() => models.check(model.id)));
  };
  const publish = async () => {
    const done = await act(() => models.publish(model.id), "Published");
    if (done !== null) setPublishing(false);
  };
  return (
    <>
      <div className="actions models-bar">
        <button type="button" disabled={busy} onClick={() => void check()}>
          {changed ? "Save and check" : "Check"}
        </button>
        <button
          type="button"
          className="primary"
          disabled={busy || changed}
          title={changed ? "Save and check it first" : undefined}
          onClick={() => setPublishing(true)}
        >
          Publish
        </button>
      </div>
      {found !== null && <Found {...found} />}
      <textarea className="models-text" aria-label="Text of the draft" rows={30} spellCheck={false} value={text} onChange={(event) => setText(event.target.value)} />
      {publishing && (
        <Confirm title="Publish the draft" verb="Publish" busy={busy} onDo={() => void publish()} onClose={() => setPublishing(false)}>
          <Preview model={model.id} />
        </Confirm>
      )}
    </>
  );
}

function Found({ mistakes, notices }: { mistakes: Mistake[]; notices: Mistake[] }) {
  if (mistakes.length + notices.length === 0) return <p role="status">Nothing is wrong with it.</p>;
  return (
    <ul className="models-found" role="status">
      {mistakes.map(({ detail, line, path }) => (
        <li key={`m${path}${line}${detail}`} className="bad">
          Line {line}, {path}: {detail}
        </li>
      ))}
      {notices.map(({ detail, line, path }) => (
        <li key={`n${path}${line}${detail}`} className="warn">
          Line {line}, {path}: {detail}
        </li>
      ))}
    </ul>
  );
}

function Preview({ model }: { model: string }) {
  const preview = useQuery({ queryKey: ["models", model, "preview"], queryFn: () => models.preview(model) });
  return (
    <Read query={preview}>
      {(all) => (
        <ul>
          {all.map(({ trigger, matching, new: fresh, leaving, fires }) => (
            <li key={trigger}>
              <strong>{trigger}</strong>: {matching} match, {fresh} of them newly, {leaving} leave.{" "}
              {fresh > 0 && (fires ? "The new ones fire now." : "The new ones are known and do not fire.")}
            </li>
          ))}
        </ul>
      )}
    </Read>
  );
}
