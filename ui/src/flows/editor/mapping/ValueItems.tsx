// The values of one module, as lists in lists of buttons: a tree would let screen
// readers find no field among its rows, and lists have one for the place. Arrow
// keys walk it as a tree all the same.

import { useMemo, useRef, useState, type KeyboardEvent } from "react";
import { ChevronDown, ChevronRight } from "lucide-react";

import { Insertable } from "./Insertable";
import { inALine, type Item } from "./outputs";
import { ALL, insideOf, isUnfolded, rowsOf, stepAt, type Folding } from "./rows";

/** Places of a list that can be chosen; any other is typed. */
const PLACES_MAX = 50;

interface Props {
  /** Whose values they are. */
  name: string;
  items: Item[];
  colour: string | null;
  /** All of it is unfolded. */
  open: boolean;
}

/** What every row of a tree needs. */
interface Held {
  colour: string | null;
  folding: Folding;
  onFold: (path: string, unfolded: boolean) => void;
  onPlace: (path: string, place: string) => void;
}

export function ValueItems({ name, items, colour, open }: Props) {
  const tree = useRef<HTMLUListElement>(null);
  const [unfolded, setUnfolded] = useState<ReadonlySet<string>>(new Set());
  const [places, setPlaces] = useState<ReadonlyMap<string, string>>(new Map());
  const folding = useMemo(() => ({ open, unfolded, places }), [open, unfolded, places]);
  const rows = useMemo(() => rowsOf(items, folding), [items, folding]);
  if (items.length === 0) return null;

  const onFold = (path: string, now: boolean) =>
    setUnfolded((before) => {
      const next = new Set(before);
      if (now) next.add(path);
      else next.delete(path);
      return next;
    });
  const pressed = (event: KeyboardEvent<HTMLUListElement>) => {
    const { altKey, ctrlKey, metaKey, shiftKey, key } = event;
    // In the choice of a place, arrow keys choose.
    const row = event.target instanceof HTMLButtonElement ? event.target.closest("li") : null;
    const path = row?.dataset["path"];
    if (altKey || ctrlKey || metaKey || shiftKey || path === undefined) return;
    const step = stepAt(rows, path, key, open);
    if (step === null) return;
    event.preventDefault();
    if ("fold" in step) onFold(step.fold, false);
    else if ("unfold" in step) onFold(step.unfold, true);
    else pillOf(tree.current, step.to)?.focus();
  };
  const held = { colour, folding, onFold, onPlace: (path: string, place: string) => setPlaces((before) => new Map(before).set(path, place)) };
  return (
    <ul ref={tree} className="mapping-items" aria-label={`Values of ${name}`} onKeyDown={pressed}>
      {items.map((item) => (
        <ItemRow key={item.path} item={item} held={held} />
      ))}
    </ul>
  );
}

/** What can be put in, of the row with a path. */
function pillOf(tree: HTMLElement | null, path: string): HTMLElement | null {
  const row = [...(tree?.querySelectorAll("li") ?? [])].find((one) => one.dataset["path"] === path);
  return row?.querySelector<HTMLElement>(".mapping-pill") ?? null;
}

function ItemRow({ item, held }: { item: Item; held: Held }) {
  const { colour, folding, onFold, onPlace } = held;
  const folds = item.inside.length > 0;
  const shown = folds && isUnfolded(item, folding);
  const inside = shown ? insideOf(item, folding) : [];
  return (
    <li data-path={item.path}>
      <span className="mapping-row">
        {folds ? (
          <button type="button" className="icon" aria-expanded={shown} aria-label={`${shown ? "Fold" : "Unfold"} ${item.label}`} onClick={() => onFold(item.path, !shown)}>
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
      {shown && <PlaceChoice item={item} place={folding.places.get(item.path) ?? "1"} onPlace={(place) => onPlace(item.path, place)} />}
      {inside.length > 0 && (
        <ul className="mapping-items">
          {inside.map((one) => (
            <ItemRow key={one.path} item={one} held={held} />
          ))}
        </ul>
      )}
    </li>
  );
}

/** Which item of a list is looked at. */
function PlaceChoice({ item, place, onPlace }: { item: Item; place: string; onPlace: (place: string) => void }) {
  const count = Array.isArray(item.value) ? item.value.length : 0;
  if (count === 0) return null;
  return (
    <label className="mapping-place">
      Item{" "}
      <select aria-label={`Item of ${item.label}`} value={place} onChange={(event) => onPlace(event.target.value)}>
        {Array.from({ length: Math.min(count, PLACES_MAX) }, (_, index) => (
          <option key={index} value={index + 1}>
            {index + 1}
          </option>
        ))}
        <option value={ALL}>every one, as a list</option>
      </select>
    </label>
  );
}

/** Lists say how long they are. */
function valueWords(item: Item): string {
  if (item.value === undefined) return item.kind === "array" ? "list" : item.kind;
  if (Array.isArray(item.value)) return `${item.value.length} ${item.value.length === 1 ? "item" : "items"}`;
  if (item.kind === "collection") return inALine(item.inside.length === 0 ? "empty" : item.inside.map(({ name }) => name).join(", "));
  return item.value === "" ? "empty" : inALine(item.value);
}
