import { useState } from "react";
import { X } from "lucide-react";

import { useEditor } from "../store";
import { matching, type Item, type Source } from "./outputs";
import { keepPasted } from "./pasted";
import { PasteSample } from "./PasteSample";
import { RunAlone } from "./RunAlone";
import { useScope } from "./scoped";
import { ValueItems } from "./ValueItems";
import { variableItems } from "./variables";

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
          <ValueItems name="this flow" items={variables} colour={null} open={words !== ""} />
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
      <ValueItems name={source.name} items={items} colour={source.colour} open={open} />
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
