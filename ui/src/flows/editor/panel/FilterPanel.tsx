import { useMemo } from "react";
import { Plus, Trash2, X } from "lucide-react";

import type { Condition, Filter } from "../document";
import { find, setFilter } from "../edits";
import type { FilterOperator } from "../mapping/api";
import { MappingPanel } from "../mapping/MappingPanel";
import { useScope } from "../mapping/scoped";
import { TemplateInput } from "../mapping/TemplateInput";
import { useEditor, useEditorStore } from "../store";
import { asText } from "./fields";
import { groupsOf, isAlone } from "./operators";

const NONE: FilterOperator[] = [];
const NEW: Condition = { a: "", o: "number:equal", b: "" };

/** The condition on the wire that is selected: what may pass to the module behind it. */
export function FilterPanel() {
  const selection = useEditor((editor) => editor.selection);
  const to = selection?.kind === "wire" ? selection.to : null;
  const module = useEditor((editor) => (to === null ? undefined : find(editor.document, to)?.module));
  const kind = useEditor((editor) => (module === undefined ? undefined : editor.kinds.get(module.module)));
  const edit = useEditor((editor) => editor.edit);
  const readonly = useEditor((editor) => editor.readonly);
  const store = useEditorStore();
  const filter = module?.filter ?? null;
  const shown: Filter = useMemo(() => (filter === null || !Array.isArray(filter.conditions) || filter.conditions.length === 0 ? { ...filter, conditions: [[NEW]] } : filter), [filter]);
  if (module === undefined || to === null) return null;
  const set = (next: Filter | null, joins?: string) => edit("Set up a filter", (document) => setFilter(document, to, next), joins);
  const setConditions = (conditions: Condition[][], joins?: string) => {
    const kept = conditions.filter((all) => all.length > 0);
    set(kept.length === 0 ? null : { ...shown, conditions: kept }, joins);
  };
  const name = module.metadata?.designer?.name ?? kind?.label ?? module.module;
  return (
    <div className="panel">
      <header className="panel-head">
        <div>
          <h2>Set up a filter</h2>
          <p className="muted panel-kind">What may pass to “{name}”</p>
        </div>
        <button type="button" className="icon" aria-label="Close the filter" onClick={() => store.getState().setOpen(false)}>
          <X aria-hidden="true" size={18} />
        </button>
      </header>
      <div className="panel-body">
        <div className="field">
          <label htmlFor="filter-label">Label</label>
          <input id="filter-label" readOnly={readonly} placeholder="Such as Success" value={filter?.name ?? ""} onChange={(event) => set({ ...shown, name: event.target.value }, `filter ${to} name`)} />
        </div>
        {shown.conditions.map((all, or) => (
          <fieldset className="filter-group" key={or}>
            <legend>{or === 0 ? "Condition" : "or"}</legend>
            {all.map((condition, and) => (
              <ConditionRow
                key={and}
                number={and}
                id={`filter-${or}-${and}`}
                condition={condition}
                readonly={readonly}
                onChange={(next) => setConditions(shown.conditions.map((group, at) => (at === or ? group.map((one, place) => (place === and ? next : one)) : group)), `filter ${to} ${or} ${and}`)}
                onRemove={() => setConditions(shown.conditions.map((group, at) => (at === or ? group.filter((_, place) => place !== and) : group)))}
              />
            ))}
            {!readonly && (
              <button type="button" className="panel-add" onClick={() => setConditions(shown.conditions.map((group, at) => (at === or ? [...group, NEW] : group)))}>
                <Plus aria-hidden="true" size={15} /> And
              </button>
            )}
          </fieldset>
        ))}
        {!readonly && (
          <div className="filter-acts">
            <button type="button" className="panel-add" onClick={() => setConditions([...shown.conditions, [NEW]])}>
              <Plus aria-hidden="true" size={15} /> Or
            </button>
            {filter !== null && (
              <button type="button" className="quiet" onClick={() => set(null)}>
                Remove the filter
              </button>
            )}
          </div>
        )}
      </div>
      <MappingPanel />
    </div>
  );
}

interface RowProps {
  id: string;
  number: number;
  condition: Condition;
  readonly: boolean;
  onChange: (next: Condition) => void;
  onRemove: () => void;
}

function ConditionRow({ id, number, condition, readonly, onChange, onRemove }: RowProps) {
  const operators = useScope().language?.filterOperators ?? NONE;
  const groups = useMemo(() => groupsOf(operators), [operators]);
  return (
    <div className="filter-row" role="group" aria-label={`Condition ${number + 1}`}>
      <TemplateInput id={`${id}-a`} label="Value" placeholder="Value, such as a status code" text={asText(condition.a)} readonly={readonly} onChange={(a) => onChange({ ...condition, a })} />
      <div className="filter-operator">
        <select
          aria-label="Operator"
          disabled={readonly}
          value={condition.o}
          onChange={(event) => {
            const o = event.target.value;
            const { b, ...rest } = condition;
            onChange(isAlone(operators, o) ? { ...rest, o } : { ...rest, o, b: b ?? "" });
          }}
        >
          {groups.map((group) => (
            <optgroup key={group.name} label={group.name}>
              {group.operators.map(({ id: value, words }) => (
                <option key={value} value={value}>
                  {words}
                </option>
              ))}
            </optgroup>
          ))}
          {!operators.some((known) => known.id === condition.o) && <option value={condition.o}>{condition.o}</option>}
        </select>
        {!readonly && (
          <button type="button" className="icon" aria-label={`Remove condition ${number + 1}`} onClick={onRemove}>
            <Trash2 aria-hidden="true" size={15} />
          </button>
        )}
      </div>
      {!isAlone(operators, condition.o) && <TemplateInput id={`${id}-b`} label="Compared with" placeholder="Compared with" text={asText(condition.b)} readonly={readonly} onChange={(b) => onChange({ ...condition, b })} />}
    </div>
  );
}
