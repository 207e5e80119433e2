import { useState } from "react";
import { ChevronDown, ChevronRight, X } from "lucide-react";

import { useEditor } from "../store";
import { inALine, itemsAt, itemsOfAll, matching, type Item, type Source } from "./outputs";
import { Insertable } from "./Insertable";
import { keepPasted } from "./pasted";
import { PasteSample } from "./PasteSample";
import { RunAlone } from "./RunAlone";
import { useScope } from "./scoped";
import { variableItems } from "./variables";

const ALL = "all";
/** Places of a list that can be chosen; any other is typed. */
const PLACES_MAX = 50;

/** The values that earlier modules gave last, and the variables of the flow. */
export function ValuesTab() {
  const { scope } = useScope();
  // One that gave an empty bundle has nothing to map.
  const sources = scope.sources.filter(({ real, items }) => !real || items.length > 0);
  const [words, setWords] = useState("");
  const variables = matching(variableItems(scope.variables), words);
  if (sources.length === 0 && Object.keys(scope.variables).length === 0) {
    return <p className="muted">No module comes before this one, so there is nothing to map yet. Functions and keywords can be used all the same.</p>;
  }
  const shown = sources.map((source) => ({ source, items: matching(source.items, words) })).filter(({ items }) => words.trim() === "" || items.length > 0);
  return (
    <>
      <input type="search" aria-label="Search values" placeholder="Search values" value={words} onChange={(event) => setWords(event.target.value)} />
      {shown.length === 0 && variables.length === 0 && <p className="muted mapping-none">Nothing has “{words}” in its name.</p>}
      {shown.map(({ source, items }) => (
        <OfModule key={source.id} source={source} items={items} open={words !== ""} />
      ))}
      {variables.length > 0 && (
        <div className="mapping-source">
          <h4>Variables of this flow</h4>
          <Items items={variables} colour={null} open={words !== ""} />
        </div>
      )}
    </>
  );
}

function OfModule({ source, items, open }: { source: Source; items: Item[]; open: boolean }) {
  const flow = useEditor((editor) => editor.flow);
  return (
    <div className="mapping-source">
      <h4>
        <span className="mapping-badge" style={{ background: source.colour }}>
          {source.id}
        </span>
        <span className="mapping-name">{source.name}</span>
        {!source.real && items.length > 0 && <span className="mapping-known">known fields, not run yet</span>}
        {source.pasted && (
          <span className="mapping-known">
            pasted sample
            <button type="button" className="icon" aria-label={`Remove the pasted sample of ${source.name}`} onClick={() => keepPasted(flow, source.id, null)}>
              <X aria-hidden="true" size={13} />
            </button>
          </span>
        )}
      </h4>
      <Items items={items} colour={source.colour} open={open} />
      {!source.real && (
        <div className="mapping-acts">
          {items.length === 0 && <p className="muted">Nothing is known of it until it runs.</p>}
          {source.alone && <RunAlone module={source.id} name={source.name} small />}
          <PasteSample module={source.id} name={source.name} />
        </div>
      )}
    </div>
  );
}

function Items({ items, colour, open }: { items: Item[]; colour: string | null; open: boolean }) {
  return (
    <ul className="mapping-items">
      {items.map((item) => (
        <Row key={item.path} item={item} colour={colour} open={open} />
      ))}
    </ul>
  );
}

function Row({ item, colour, open }: { item: Item; colour: string | null; open: boolean }) {
  const [unfolded, setUnfolded] = useState(false);
  const [place, setPlace] = useState("1");
  const shown = open || unfolded;
  const inside = place === "1" ? item.inside : place === ALL ? itemsOfAll(item) : itemsAt(item, Number(place));
  const count = item.inside.length > 0 && Array.isArray(item.value) ? item.value.length : 0;
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
        <Insertable part={{ kind: "value", path: item.path }} colour={colour} title={`{{${item.path}}}`}>
          {item.label}
        </Insertable>
        <span className="mapping-value" title={inALine(item.value, 500)}>
          {valueWords(item)}
        </span>
      </span>
      {shown && count > 0 && (
        <label className="mapping-place">
          Item{" "}
          <select aria-label={`Item of ${item.label}`} value={place} onChange={(event) => setPlace(event.target.value)}>
            {Array.from({ length: Math.min(count, PLACES_MAX) }, (_, index) => (
              <option key={index} value={index + 1}>
                {index + 1}
              </option>
            ))}
            <option value={ALL}>every one, as a list</option>
          </select>
        </label>
      )}
      {shown && inside.length > 0 && <Items items={inside} colour={colour} open={open} />}
    </li>
  );
}

/** Lists say how long they are. */
function valueWords(item: Item): string {
  if (item.value === undefined) return item.kind === "array" ? "list" : item.kind;
  if (Array.isArray(item.value)) return `${item.value.length} ${item.value.length === 1 ? "item" : "items"}`;
  if (item.kind === "collection") return namesIn(item);
  return item.value === "" ? "empty" : inALine(item.value);
}

function namesIn(item: Item): string {
  return inALine(item.inside.length === 0 ? "empty" : item.inside.map(({ name }) => name).join(", "));
}
