import { useMemo, useState } from "react";
import { ChevronDown, ChevronRight } from "lucide-react";

import { useEditor } from "../store";
import { useTarget } from "./inserting";
import { inALine, matching, sourcesFor, type Item } from "./outputs";

/** The values that earlier modules gave; a click puts one into the field that had the focus. */
export function MappingTree({ module }: { module: number }) {
  const document = useEditor((editor) => editor.document);
  const kinds = useEditor((editor) => editor.kinds);
  const samples = useEditor((editor) => editor.samples);
  const target = useTarget((state) => state.target);
  const [words, setWords] = useState("");
  const sources = useMemo(() => sourcesFor(document, module, kinds, samples), [document, module, kinds, samples]);
  const insert = (path: string) => target?.insert(`{{${path}}}`);
  return (
    <section className="mapping" aria-labelledby="mapping-title">
      <h3 id="mapping-title">Values that can be mapped</h3>
      <p className="hint">{target === null ? "Click into a field, then on a value." : "A click puts the value into the field at its cursor; it can be dragged, too."}</p>
      {sources.length === 0 ? (
        <p className="muted">Nothing yet: no module before this one gives anything that is known. Run the flow once.</p>
      ) : (
        <>
          <input type="search" aria-label="Search values" placeholder="Search values" value={words} onChange={(event) => setWords(event.target.value)} />
          {sources.map((source) => {
            const items = matching(source.items, words);
            if (items.length === 0) return null;
            return (
              <div className="mapping-source" key={source.id}>
                <h4>
                  <span className="mapping-badge" style={{ background: source.colour }}>
                    {source.id}
                  </span>
                  {source.name}
                  {!source.real && <span className="muted mapping-known">known fields, not run yet</span>}
                </h4>
                <Items items={items} onInsert={insert} open={words !== ""} />
              </div>
            );
          })}
        </>
      )}
    </section>
  );
}

function Items({ items, onInsert, open }: { items: Item[]; onInsert: (path: string) => void; open: boolean }) {
  return (
    <ul className="mapping-items">
      {items.map((item) => (
        <Row key={item.path} item={item} onInsert={onInsert} open={open} />
      ))}
    </ul>
  );
}

function Row({ item, onInsert, open }: { item: Item; onInsert: (path: string) => void; open: boolean }) {
  const [unfolded, setUnfolded] = useState(false);
  const shown = open || unfolded;
  return (
    <li>
      <span className="mapping-row">
        {item.inside.length > 0 ? (
          <button type="button" className="icon" aria-expanded={shown} aria-label={`${shown ? "Fold" : "Unfold"} ${item.label}`} onClick={() => setUnfolded(!unfolded)}>
            {shown ? <ChevronDown aria-hidden="true" size={14} /> : <ChevronRight aria-hidden="true" size={14} />}
          </button>
        ) : (
          <span className="mapping-gap" aria-hidden="true" />
        )}
        <button
          type="button"
          className="mapping-pill"
          draggable
          title={`{{${item.path}}}`}
          // The field keeps its focus and its cursor.
          onMouseDown={(event) => event.preventDefault()}
          onDragStart={(event) => event.dataTransfer.setData("text/plain", `{{${item.path}}}`)}
          onClick={() => onInsert(item.path)}
        >
          {item.label}
        </button>
        <span className="mapping-value">{item.value === undefined ? item.kind : inALine(item.value)}</span>
      </span>
      {shown && item.inside.length > 0 && <Items items={item.inside} onInsert={onInsert} open={open} />}
    </li>
  );
}
