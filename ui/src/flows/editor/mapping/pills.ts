// References as pills. The text of the field is the template, letter by letter;
// a pill is only how a path is drawn, and what moves and goes as one thing.

import { EditorSelection, RangeSet, RangeSetBuilder, StateEffect, StateField, type EditorState, type Extension, type Range, type Transaction } from "@codemirror/state";
import { Decoration, EditorView, WidgetType, type DecorationSet } from "@codemirror/view";

import { inALine } from "./outputs";
import { meaning, NOTHING_IN_SCOPE, sortOf, type Meant, type Scope } from "./scope";
import { expressionAt, expressions, type Mapped, type Reference, type Token } from "./template";

interface Span {
  from: number;
  to: number;
}

/** The field sees other modules, or other values of them. */
export const setScope = StateEffect.define<Scope>();
/** Shows a pill as the text that it is, to be written in. */
export const openPill = StateEffect.define<Span>();
/** Says where the template has a mistake; null for nowhere. */
export const setMistake = StateEffect.define<Span | null>();

export const scopeField = StateField.define<Scope>({
  create: () => NOTHING_IN_SCOPE,
  update: (scope, transaction) => transaction.effects.reduce((now, effect) => (effect.is(setScope) ? effect.value : now), scope),
});

/** The expressions of the text as it is now. */
export const mappedField = StateField.define<readonly Mapped[]>({
  create: (state) => expressions(state.doc.toString()),
  update: (mapped, transaction) => (transaction.docChanged ? expressions(transaction.newDoc.toString()) : mapped),
});

const mistakeField = StateField.define<Span | null>({
  create: () => null,
  update(mistake, transaction) {
    for (const effect of transaction.effects) if (effect.is(setMistake)) return effect.value;
    if (mistake === null || !transaction.docChanged) return mistake;
    // What was written in it may have mended it: the next answer tells.
    if (transaction.changes.touchesRange(mistake.from, mistake.to) !== false) return null;
    return { from: transaction.changes.mapPos(mistake.from), to: transaction.changes.mapPos(mistake.to) };
  },
});

/** Where a reference is drawn as a pill: with its braces if there is nothing else between them. */
interface Place extends Span {
  reference: Reference;
  whole: boolean;
}

function placesOf(mapped: readonly Mapped[], state: EditorState): Place[] {
  return mapped.flatMap((one) => {
    const places = one.whole !== null ? [{ from: one.from, to: one.to, reference: one.whole, whole: true }] : one.references.filter(isOfAModule).map((reference) => ({ from: reference.from, to: reference.to, reference, whole: false }));
    return places.filter(({ from, to }) => state.doc.lineAt(from).to >= to);
  });
}

/** In an expression a bare name is shown as a word. */
function isOfAModule({ root, path }: Reference): boolean {
  return typeof root === "number" || (root === "var" && path.length > 0);
}

/** The path that is being written stays text until the cursor leaves it. */
const openField = StateField.define<Span | null>({
  create: () => null,
  update(open, transaction) {
    for (const effect of transaction.effects) if (effect.is(openPill)) return effect.value;
    for (const effect of transaction.effects) if (effect.is(setFocused) && !effect.value) return null;
    const { head } = transaction.state.selection.main;
    if (transaction.docChanged && (transaction.isUserEvent("input.type") || (open !== null && transaction.isUserEvent("delete")))) {
      const places = placesOf(transaction.state.field(mappedField), transaction.state);
      return places.find((place) => place.from < head && (place.whole ? head < place.to : head <= place.to)) ?? null;
    }
    if (open === null) return null;
    const moved = { from: transaction.changes.mapPos(open.from, -1), to: transaction.changes.mapPos(open.to, 1) };
    return head > moved.from && head < moved.to ? moved : null;
  },
});

const setFocused = StateEffect.define<boolean>();

class Pill extends WidgetType {
  constructor(
    readonly meant: Meant,
    readonly number: number | null,
    readonly selected: boolean,
    readonly wrong: boolean,
  ) {
    super();
  }

  override eq(other: Pill): boolean {
    const [a, b] = [this.meant, other.meant];
    return this.number === other.number && this.selected === other.selected && this.wrong === other.wrong && a.kind === b.kind && a.label === b.label && a.trail === b.trail && a.source?.colour === b.source?.colour;
  }

  override toDOM(): HTMLElement {
    const pill = document.createElement("span");
    pill.draggable = true;
    this.draw(pill);
    return pill;
  }

  /** A pill that is touched stays the same element, or the touch would be no click. */
  override updateDOM(pill: HTMLElement): boolean {
    this.draw(pill);
    return true;
  }

  private draw(pill: HTMLElement): void {
    pill.className = `pill ${this.meant.kind}${this.selected ? " selected" : ""}${this.wrong ? " wrong" : ""}${this.meant.source === null ? " plain" : ""}`;
    if (this.meant.source !== null) pill.style.setProperty("--app", this.meant.source.colour);
    const number = document.createElement("span");
    number.className = "pill-number";
    number.textContent = String(this.number);
    pill.replaceChildren(...(this.number === null ? [] : [number, " "]), this.meant.label);
  }

  override ignoreEvent(): boolean {
    return false;
  }
}

const mark = (name: string) => Decoration.mark({ class: name });
const MARKS = { brace: mark("brace"), call: mark("call"), text: mark("text"), number: mark("number"), word: mark("word"), sign: mark("sign"), separator: mark("separator"), bad: mark("wrong"), matched: mark("matched"), single: mark("single") };
const WRONG = mark("wrong");

interface Drawn {
  all: DecorationSet;
  /** What the cursor passes as one. */
  atoms: RangeSet<Decoration>;
  places: Place[];
}

const redraws = (effect: StateEffect<unknown>) => effect.is(setScope) || effect.is(openPill) || effect.is(setMistake) || effect.is(setFocused);

const drawnField = StateField.define<Drawn>({
  create: draw,
  update(drawn, transaction) {
    const changed = transaction.docChanged || transaction.selection !== undefined || transaction.effects.some(redraws);
    return changed ? draw(transaction.state) : drawn;
  },
  provide: (field) => [
    EditorView.decorations.from(field, ({ all }) => all),
    EditorView.atomicRanges.of((view) => view.state.field(field).atoms),
  ],
});

function draw(state: EditorState): Drawn {
  const scope = state.field(scopeField);
  const open = state.field(openField);
  const mistake = state.field(mistakeField);
  const { from: marked, to: markedTo } = state.selection.main;
  const pills = new RangeSetBuilder<Decoration>();
  const marks: Range<Decoration>[] = [];
  const drawn: Place[] = [];
  for (const mapped of state.field(mappedField)) {
    const places = placesOf([mapped], state).filter((place) => open === null || place.to <= open.from || place.from >= open.to);
    for (const { from, to, reference } of places) {
      const number = typeof reference.root === "number" ? reference.root : null;
      const wrong = mistake !== null && mistake.from < to && mistake.to > from;
      const widget = new Pill(meaning(reference, scope), number, marked < markedTo && marked <= from && to <= markedTo, wrong);
      pills.add(from, to, Decoration.replace({ widget }));
    }
    drawn.push(...places);
    if (places[0]?.whole !== true) {
      marks.push(...marksOf(state, mapped).filter((range) => !places.some((place) => range.from < place.to && range.to > place.from)));
    }
  }
  const atoms = pills.finish();
  if (mistake !== null && mistake.to > mistake.from) marks.push(WRONG.range(mistake.from, mistake.to));
  return { atoms, all: atoms.update({ add: marks, sort: true }), places: drawn };
}

function marksOf(state: EditorState, { from, to, closed, tokens, calls, brackets }: Mapped): Range<Decoration>[] {
  const { head } = state.selection.main;
  const ranges = [MARKS.brace.range(from, from + 2), ...(closed ? [MARKS.brace.range(to - 2, to)] : [])];
  const called = new Set(calls.map((call) => call.from));
  for (const token of tokens) ranges.push(MARKS[nameOf(token, called, state)].range(token.from, token.to));
  for (const { open, close } of brackets) {
    if (close === null) ranges.push(MARKS.single.range(open, open + 1));
    else if ([open, open + 1, close, close + 1].includes(head)) ranges.push(MARKS.matched.range(open, open + 1), MARKS.matched.range(close, close + 1));
  }
  return ranges;
}

function nameOf(token: Token, called: ReadonlySet<number>, state: EditorState): keyof typeof MARKS {
  if (called.has(token.from)) return "call";
  if (token.kind === "sign" && state.sliceDoc(token.from, token.to) === ";") return "separator";
  return token.kind === "quoted" ? "word" : token.kind;
}

/** The pill that touches a place of the text. */
export function pillAt(state: EditorState, at: number): Place | null {
  return state.field(drawnField).places.find(({ from, to }) => from <= at && at <= to) ?? null;
}

/** Whether a cursor writes into an expression there. */
export function isInside(state: EditorState, at: number): boolean {
  return expressionAt(state.field(mappedField), at) !== null;
}

/** What a pill stands for, in a sentence or two. */
export function wordsOf(meant: Meant): string {
  if (meant.kind === "value") return `${meant.trail}: ${inALine(meant.value)} (${sortOf(meant.value)})`;
  if (meant.kind === "lost") return `${meant.trail} does not come before this one, so the value is always empty`;
  if (meant.kind === "unseen") return `${meant.trail}: ${meant.source?.bundle === undefined ? "no value yet" : "not in the last run"}`;
  return meant.trail;
}

/** What is marked can be dragged, so a pill is marked as soon as it is touched. */
const touches = EditorView.domEventObservers({
  mousedown(event, view) {
    const place = event.button === 0 && !event.shiftKey ? clicked(event, view) : null;
    if (place === null) return;
    view.focus();
    view.dispatch({ selection: EditorSelection.range(place.from, place.to) });
  },
});

/** A click marks the whole pill; a double click opens it. */
const clicks = EditorView.domEventHandlers({
  click(event, view) {
    const place = clicked(event, view);
    if (place === null || event.shiftKey) return false;
    view.dispatch({ selection: EditorSelection.range(place.from, place.to) });
    return true;
  },
  // The browser lets nothing be dropped on what is not text.
  dragover(event, view) {
    if (event.target instanceof Element && event.target.closest(".pill") !== null && !view.state.readOnly) event.preventDefault();
    return false;
  },
  dblclick(event, view) {
    const place = clicked(event, view);
    return place !== null && open(view, place);
  },
});

function clicked(event: MouseEvent, view: EditorView): Place | null {
  const pill = event.target instanceof Element ? event.target.closest(".pill") : null;
  return pill === null ? null : pillAt(view.state, view.posAtDOM(pill));
}

function open(view: EditorView, place: Place): boolean {
  if (view.state.readOnly) return false;
  view.dispatch({ selection: { anchor: place.whole ? place.to - 2 : place.to }, effects: openPill.of({ from: place.from, to: place.to }) });
  return true;
}

/** Opens the pill that is marked as a whole. */
export function openMarked(view: EditorView): boolean {
  const { from, to } = view.state.selection.main;
  const place = pillAt(view.state, from);
  return place !== null && place.from === from && place.to === to && open(view, place);
}

/** Whoever does not see the pill hears what the cursor has passed. */
const announced = EditorView.updateListener.of((update) => {
  if (!update.selectionSet || update.docChanged || !update.transactions.some((transaction: Transaction) => transaction.isUserEvent("select"))) return;
  const [before, now] = [update.startState.selection.main.head, update.state.selection.main.head];
  const [from, to] = [Math.min(before, now), Math.max(before, now)];
  const passed = update.state.field(drawnField).places.find((place) => place.from === from && place.to === to);
  if (passed === undefined) return;
  const words = wordsOf(meaning(passed.reference, update.state.field(scopeField)));
  queueMicrotask(() => update.view.dispatch({ effects: EditorView.announce.of(words) }));
});

/** All that draws pills. */
export function pills(): Extension {
  return [scopeField, mappedField, mistakeField, openField, drawnField, EditorView.focusChangeEffect.of((_, focused) => setFocused.of(focused)), touches, clicks, announced];
}

/** What a pill says of itself under the pointer. */
export function pillWords(state: EditorState, at: number): { from: number; to: number; meant: Meant; text: string } | null {
  const place = pillAt(state, at);
  if (place === null) return null;
  const { from, to, reference } = place;
  return { from, to, meant: meaning(reference, state.field(scopeField)), text: state.sliceDoc(from, to) };
}
