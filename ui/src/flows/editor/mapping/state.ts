// The state of a field, and what changes it from outside. Its text comes out
// again letter by letter, whatever it is.

import { acceptCompletion, closeCompletion, completionKeymap, completionStatus } from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap } from "@codemirror/commands";
import { EditorSelection, EditorState, Prec, type Extension } from "@codemirror/state";
import { drawSelection, EditorView, hoverTooltip, keymap, type Tooltip } from "@codemirror/view";

import { completion, languageField } from "./completion";
import { typingKeys } from "./keys";
import { isInside, mappedField, pills, pillWords, wordsOf } from "./pills";
import { bare, expressionAt, written, type Part } from "./template";
import { theme } from "./theme";

/** Makes the state of a field. */
export function stateOf(text: string, more: Extension = []): EditorState {
  return EditorState.create({
    doc: text,
    extensions: [
      // Only this ends a line, so that no other letter is made into it.
      EditorState.lineSeparator.of("\n"),
      EditorView.clipboardInputFilter.of((pasted) => pasted.replaceAll("\r\n", "\n")),
      history(),
      drawSelection(),
      EditorView.lineWrapping,
      pills(),
      completion(),
      hover,
      drops,
      Prec.high(typingKeys()),
      Prec.highest(
        keymap.of([
          // What is not shown yet need not be closed: Escape leads out of the settings then.
          { key: "Escape", run: (view) => completionStatus(view.state) === "active" && closeCompletion(view) },
          // Otherwise Tab leaves the field, so that nobody without a mouse is caught in it.
          { key: "Tab", run: acceptCompletion },
        ]),
      ),
      keymap.of([...completionKeymap.filter(({ key }) => key !== "Escape"), ...defaultKeymap, ...historyKeymap]),
      theme,
      more,
    ],
  });
}

/** The smallest change that makes one text the other, so that the cursor stays. */
export function difference(before: string, after: string): { changes: { from: number; to: number; insert: string } } {
  let from = 0;
  const shorter = Math.min(before.length, after.length);
  while (from < shorter && before[from] === after[from]) from += 1;
  let same = 0;
  while (same < shorter - from && before[before.length - 1 - same] === after[after.length - 1 - same]) same += 1;
  return { changes: { from, to: before.length - same, insert: after.slice(from, after.length - same) } };
}

/** Puts something in at the cursor, with braces or into the expression there. */
export function put(view: EditorView, part: Part, at?: number): void {
  const { from, to } = at === undefined ? view.state.selection.main : EditorSelection.cursor(at);
  const { text, cursor } = written(part, isInside(view.state, from));
  view.dispatch({ changes: { from, to, insert: text }, selection: { anchor: from + cursor }, scrollIntoView: true, userEvent: "input.paste" });
  view.focus();
}

/** What is dropped into an expression loses its braces. */
const drops = EditorView.domEventHandlers({
  drop(event, view) {
    const path = bare(event.dataTransfer?.getData("text/plain") ?? "");
    const at = view.posAtCoords({ x: event.clientX, y: event.clientY }, false);
    if (path === null || view.state.readOnly || !isInside(view.state, at)) return false;
    event.preventDefault();
    put(view, { kind: "value", path }, at);
    return true;
  },
});

const hover = hoverTooltip(
  (view, at) => {
    const pill = pillWords(view.state, at);
    if (pill !== null) return tip(pill.from, pill.to, wordsOf(pill.meant), pill.text);
    const call = expressionAt(view.state.field(mappedField), at)?.calls.find(({ from, to }) => from <= at && at <= to);
    const known = view.state.field(languageField)?.functions.find(({ name }) => call !== undefined && name === view.state.sliceDoc(call.from, call.to));
    return call === undefined || known === undefined ? null : tip(call.from, call.to, known.summary, known.signature);
  },
  { hoverTime: 250 },
);

function tip(from: number, to: number, words: string, text: string): Tooltip {
  return {
    pos: from,
    end: to,
    above: true,
    create() {
      const dom = document.createElement("div");
      dom.className = "pill-words";
      const said = document.createElement("p");
      said.textContent = words;
      const name = document.createElement("code");
      name.textContent = text;
      dom.append(said, name);
      return { dom };
    },
  };
}
