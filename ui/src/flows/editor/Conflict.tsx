// Somebody else changed the flow meanwhile: what they did and what I did, by
// module, and a choice. Undo leads back to my own whatever is chosen.

import { useMemo, useState } from "react";

import { Dialog } from "../../kit/Dialog";
import { When } from "../../kit/When";
import { about, changes, contested, merged, type Change, type Side } from "./merge";
import { nameOf } from "./graph";
import { useEditor, useEditorStore, type Editor, type Theirs } from "./store";

export function Conflict() {
  const theirs = useEditor((editor) => editor.theirs);
  return theirs === null ? null : <Choice theirs={theirs} />;
}

function Choice({ theirs }: { theirs: Theirs }) {
  const store = useEditorStore();
  const { stored, document } = store.getState();
  const [prefers, setPrefers] = useState<Record<string, Side>>({});
  const [later, setLater] = useState(false);
  const [mine, others, both] = useMemo(
    () => [changes(stored, document), changes(stored, theirs.document), new Set(contested(stored, document, theirs.document))],
    [stored, document, theirs],
  );
  const who = theirs.changedBy ?? "Somebody else";
  const settle = (next: typeof document, words: string) => store.getState().settle(theirs, next, words);
  if (later) {
    return (
      <div className="conflict-bar" role="alert">
        <span>{who} changed this flow too. Your changes are kept here, and not stored yet.</span>
        <button type="button" onClick={() => setLater(false)}>
          Compare
        </button>
      </div>
    );
  }
  const keepBoth = () =>
    settle(
      merged(stored, document, theirs.document, (what) => prefers[what] ?? "mine"),
      both.size === 0 ? "Keep both" : "Bring both together",
    );
  return (
    <Dialog
      wide
      title="This flow was changed by somebody else"
      onClose={() => setLater(true)}
      actions={
        <>
          <button type="button" onClick={() => settle(theirs.document, "Take theirs")}>
            Take theirs
          </button>
          <button type="button" onClick={() => settle(document, "Keep mine over theirs")}>
            Keep mine over theirs
          </button>
          <button type="button" className="primary" onClick={keepBoth}>
            Keep both
          </button>
        </>
      }
    >
      <p>
        {who} stored a change {theirs.changedAt !== null && <When at={theirs.changedAt} as="ago" />}.{" "}
        {both.size === 0
          ? "You worked on different things: both can be kept."
          : "Some of it is about the same modules: choose below whose to take there."}{" "}
        Nothing is lost: Undo brings your own back.
      </p>
      <div className="conflict">
        <Side title="Yours" list={mine} both={both} prefers={prefers} side="mine" onPrefer={setPrefers} />
        <Side title={`Of ${who}`} list={others} both={both} prefers={prefers} side="theirs" onPrefer={setPrefers} />
      </div>
    </Dialog>
  );
}

interface SideProps {
  title: string;
  list: Change[];
  both: Set<string>;
  prefers: Record<string, Side>;
  side: Side;
  onPrefer: (prefers: Record<string, Side>) => void;
}

function Side({ title, list, both, prefers, side, onPrefer }: SideProps) {
  const editor = useEditorStore().getState();
  return (
    <section aria-label={title}>
      <h3>{title}</h3>
      {list.length === 0 && <p className="muted">Only where things are drawn.</p>}
      <ul>
        {list.map((change) => {
          const what = about(change);
          const taken = (prefers[what] ?? "mine") === side;
          return (
            <li key={what}>
              <span>
                <strong>{nameOfChange(editor, change)}</strong> {saidOf(change)}
              </span>
              {both.has(what) && (
                <label className="conflict-take">
                  <input type="radio" name={`take ${what}`} checked={taken} onChange={() => onPrefer({ ...prefers, [what]: side })} /> Take this
                </label>
              )}
            </li>
          );
        })}
      </ul>
    </section>
  );
}

function nameOfChange(editor: Editor, { node, setting }: Change): string {
  if (node === null) return setting === "scheduling" ? "Schedule" : `Setting ${setting}`;
  return `${nameOf(node, editor.kinds.get(node.module)?.label)} (${node.id})`;
}

function saidOf({ what, fields, node }: Change): string {
  const words = { added: "was added", removed: "was removed", moved: "was moved", changed: "was changed" }[what];
  return fields.length === 0 || node === null ? words : `${words}: ${fields.slice(0, 5).join(", ")}${fields.length > 5 ? " …" : ""}`;
}
