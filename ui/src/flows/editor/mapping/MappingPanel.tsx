// What can be put into a field: values of earlier modules, functions, names and
// operators. A click or Enter puts it where the cursor is; it can be dragged, too.

import { create } from "zustand";
import { ChevronDown, ChevronUp } from "lucide-react";

import { Tabs } from "../../../kit/Tabs";
import { FunctionsTab, NamesTab } from "./FunctionsTab";
import { useTarget } from "./inserting";
import { ValuesTab } from "./ValuesTab";

/** It stays as it was left when another module is looked at. */
const useShown = create<{ tab: string; folded: boolean }>(() => ({ tab: "values", folded: false }));

export function MappingPanel() {
  const { tab, folded } = useShown();
  const target = useTarget((state) => state.target);
  return (
    <section className={`mapping${folded ? " folded" : ""}`} aria-labelledby="mapping-title">
      <div className="mapping-head">
        <h3 id="mapping-title">Map a value</h3>
        <p className="mapping-target" role="status">
          {target === null ? "Click into a field first" : `into ${target.label}`}
        </p>
        <button type="button" className="icon" aria-expanded={!folded} aria-label={folded ? "Unfold what can be mapped" : "Fold what can be mapped"} onClick={() => useShown.setState({ folded: !folded })}>
          {folded ? <ChevronUp aria-hidden="true" size={16} /> : <ChevronDown aria-hidden="true" size={16} />}
        </button>
      </div>
      {!folded && (
        <Tabs
          label="What can be mapped"
          open={tab}
          onOpen={(next) => useShown.setState({ tab: next })}
          tabs={[
            { id: "values", name: "Values", content: <ValuesTab /> },
            { id: "functions", name: "Functions", content: <FunctionsTab /> },
            { id: "names", name: "Keywords and operators", content: <NamesTab /> },
          ]}
        />
      )}
    </section>
  );
}
