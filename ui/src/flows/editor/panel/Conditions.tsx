// Conditions: lists of which any is enough, in each of which all must hold. On
// wires, in the branches of an if-else, and where a repetition ends.

import { useMemo } from "react";
import { Plus, Trash2 } from "lucide-react";

import type { Condition } from "../document";
import type { FilterOperator } from "../mapping/api";
import { useScope } from "../mapping/scoped";
import { TemplateInput } from "../mapping/TemplateInput";
import { asText } from "./fields";
import { groupsOf, isAlone } from "./operators";
import { Verdict } from "./Verdict";

const NONE: FilterOperator[] = [];
const NEW: Condition = { a: "", o: "number:equal", b: "" };
const BLANK = [[NEW]];

interface Props {
  /** Unique on the page; the fields' ids begin with it. */
  id: string;
  conditions: Condition[][] | undefined;
  readonly: boolean;
  /** Empty where no condition is left; changes of one condition in a row are one step. */
  onChange: (conditions: Condition[][], joins?: string) => void;
  /** What it means that the conditions hold, and that they do not. */
  words: { yes: string; no: string };
}

export function Conditions({ id, conditions, readonly, onChange, words }: Props) {
  // A first row invites to fill it in; it is stored once it says something.
  const shown = conditions === undefined || conditions.length === 0 ? BLANK : conditions;
  const set = (next: Condition[][], joins?: string) => onChange(next.filter((all) => all.length > 0), joins);
  const inGroup = (or: number, change: (all: Condition[]) => Condition[]) => shown.map((all, place) => (place === or ? change(all) : all));
  return (
    <>
      {shown.map((all, or) => (
        <fieldset className="filter-group" key={or}>
          <legend>{or === 0 ? "Condition" : "or"}</legend>
          {all.map((condition, and) => (
            <ConditionRow
              key={and}
              number={and}
              id={`${id}-${or}-${and}`}
              condition={condition}
              readonly={readonly}
              onChange={(next) => set(inGroup(or, (group) => group.with(and, next)), `${id} ${or} ${and}`)}
              onRemove={() => set(inGroup(or, (group) => group.toSpliced(and, 1)))}
            />
          ))}
          {!readonly && (
            <button type="button" className="panel-add" onClick={() => set(inGroup(or, (group) => [...group, NEW]))}>
              <Plus aria-hidden="true" size={15} /> And
            </button>
          )}
        </fieldset>
      ))}
      {!readonly && (
        <div className="filter-acts">
          <button type="button" className="panel-add" onClick={() => set([...shown, [NEW]])}>
            <Plus aria-hidden="true" size={15} /> Or
          </button>
        </div>
      )}
      <Verdict conditions={conditions} words={words} />
    </>
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
