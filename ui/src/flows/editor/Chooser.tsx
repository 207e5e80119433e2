// Which module? A search over all kinds, beside the + that was pressed.

import { useLayoutEffect, useId, useMemo, useRef, useState } from "react";
import { Clock, Flag, Hand, Radio, Search, Webhook, type LucideIcon } from "lucide-react";

import { add } from "./acts";
import { matching } from "./matching";
import { startedBy, STARTS, type Start } from "./starts";
import { useEditor, useEditorStore, type Asking } from "./store";
import type { ModuleKind } from "./types";

const WIDTH = 380;
const HEIGHT = 460;

export function Chooser() {
  const asking = useEditor((editor) => editor.asking);
  return asking === null ? null : <Open key={JSON.stringify(asking)} asking={asking} />;
}

function Open({ asking }: { asking: Asking }) {
  const store = useEditorStore();
  const kinds = useEditor((editor) => editor.kinds);
  const empty = useEditor((editor) => editor.document.flow.length === 0);
  const dialog = useRef<HTMLDialogElement>(null);
  const list = useRef<HTMLUListElement>(null);
  const [text, setText] = useState("");
  const [at, setAt] = useState(0);
  const id = useId();
  // It closes before it leaves the page, so that the browser can give the focus back.
  useLayoutEffect(() => {
    const shown = dialog.current;
    shown?.showModal();
    return () => shown?.close();
  }, []);

  const found = useMemo(() => {
    const fits = [...kinds.values()].filter((kind) => fitsPlace(kind, asking, empty) && (text !== "" || kind.older !== true));
    return grouped(matching(fits, text), text === "");
  }, [kinds, text, asking, empty]);
  const flat = found.flatMap(([, group]) => group);
  const close = () => store.getState().ask(null);
  const take = (kind: ModuleKind) => {
    close();
    add(store, asking.place, kind);
  };
  const move = (next: number) => {
    const place = Math.max(0, Math.min(flat.length - 1, next));
    setAt(place);
    list.current?.querySelector(`[data-place="${place}"]`)?.scrollIntoView({ block: "nearest" });
  };

  return (
    <dialog
      ref={dialog}
      className="chooser"
      aria-label="Add a module"
      style={placed(asking.at)}
      onCancel={(event) => {
        event.preventDefault();
        close();
      }}
      onClick={(event) => event.target === dialog.current && close()}
    >
      <div className="chooser-inside">
        <div className="chooser-search">
          <Search aria-hidden="true" size={16} />
          <input
            autoFocus
            role="combobox"
            aria-label="Search modules"
            aria-expanded="true"
            aria-controls={id}
            aria-activedescendant={flat[at] === undefined ? undefined : `${id}-${at}`}
            placeholder="Search, such as HTTP or router"
            value={text}
            onChange={(event) => {
              setText(event.target.value);
              setAt(0);
            }}
            onKeyDown={(event) => {
              if (event.key === "ArrowDown") move(at + 1);
              else if (event.key === "ArrowUp") move(at - 1);
              else if (event.key === "Enter" && flat[at] !== undefined) take(flat[at]);
              else return;
              event.preventDefault();
            }}
          />
        </div>
        <ul id={id} ref={list} role="listbox" aria-label="Modules" className="chooser-list">
          {found.map(([app, group]) => (
            <li key={app} role="presentation">
              <h3 aria-hidden="true">{app}</h3>
              <ul role="group" aria-label={app}>
                {group.map((kind) => {
                  const place = flat.indexOf(kind);
                  return (
                    <li
                      key={kind.name}
                      id={`${id}-${place}`}
                      data-place={place}
                      role="option"
                      aria-selected={place === at}
                      className="chooser-item"
                      onPointerMove={() => setAt(place)}
                      onClick={() => take(kind)}
                    >
                      <KindIcon kind={kind} />
                      <span>
                        <strong>{kind.label}</strong>
                        <small>{kind.description === kind.label ? kind.appName : kind.description}</small>
                      </span>
                    </li>
                  );
                })}
              </ul>
            </li>
          ))}
        </ul>
        {flat.length === 0 && <p className="muted chooser-none">No module fits. Try another word, such as the name of a program.</p>}
      </div>
    </dialog>
  );
}

/** A kind in small: its icon on its colour. */
export function KindIcon({ kind }: { kind: ModuleKind }) {
  // The program's own drawing of the app, not something that people write.
  return (
    <span className="kind-icon" aria-hidden="true" style={{ "--app": kind.colour } as React.CSSProperties} dangerouslySetInnerHTML={{ __html: kind.icon }} />
  );
}

function fitsPlace(kind: ModuleKind, { place }: Asking, empty: boolean): boolean {
  if (place.kind === "start") return true;
  if (place.kind === "error") return kind.kind !== "start";
  if (kind.kind === "directive") return place.kind === "wire" || place.kind === "after" || (place.kind === "end" && place.owner.kind !== "body");
  return kind.kind !== "start" || (empty && place.kind === "loose");
}

/** By app; where a search gave an order it stays. */
function grouped(kinds: ModuleKind[], byName: boolean): [string, ModuleKind[]][] {
  const groups = new Map<string, ModuleKind[]>();
  for (const kind of kinds) groups.set(kind.appName, [...(groups.get(kind.appName) ?? []), kind]);
  const list = [...groups];
  return byName ? list.sort(([a], [b]) => a.localeCompare(b)) : list;
}

function placed({ x, y }: Asking["at"]): React.CSSProperties {
  const left = Math.max(8, Math.min(x + 12, window.innerWidth - WIDTH - 8));
  const top = Math.max(8, Math.min(y - 60, window.innerHeight - HEIGHT - 8));
  return { left, top, width: WIDTH, maxHeight: HEIGHT, margin: 0 };
}

/** An empty flow asks how it is to start. */
export function StartChooser() {
  const store = useEditorStore();
  const kinds = useEditor((editor) => editor.kinds);
  const choose = (start: Start) => {
    const { edit, select, setOpen, document } = store.getState();
    edit(`Start by ${start.name.toLowerCase()}`, (before) => startedBy(before, start));
    if (start.module === null || document.flow.length > 0) return;
    const first = store.getState().document.flow[0]!;
    select({ kind: "module", id: first.id });
    setOpen(true);
  };
  return (
    <section className="starts" aria-labelledby="starts-title">
      <h2 id="starts-title">What starts this flow?</h2>
      <ul>
        {STARTS.map((start) => {
          const kind = start.module === null ? undefined : kinds.get(start.module);
          return (
            <li key={start.id}>
              <button type="button" onClick={() => choose(start)}>
                <span className="start-round" aria-hidden="true" style={kind === undefined ? undefined : ({ "--app": kind.colour } as React.CSSProperties)}>
                  <StartIcon id={start.id} />
                </span>
                <span>
                  <strong>{start.name}</strong>
                  <small>{start.says}</small>
                </span>
              </button>
            </li>
          );
        })}
      </ul>
      <p className="muted">
        Or{" "}
        <button
          type="button"
          className="as-link"
          onClick={(event) => store.getState().ask({ place: { kind: "start" }, at: { x: event.clientX, y: event.clientY } })}
        >
          begin with any module
        </button>
        , or paste a blueprint.
      </p>
    </section>
  );
}

const START_ICONS: Record<Start["id"], LucideIcon> = { schedule: Clock, signal: Radio, manual: Hand, webhook: Webhook, "run-ended": Flag };

function StartIcon({ id }: { id: Start["id"] }) {
  const Shown = START_ICONS[id];
  return <Shown size={22} />;
}
