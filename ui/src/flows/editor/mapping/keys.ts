// What keys do in a template, beyond writing: braces come in pairs, and so do
// brackets and quotes inside an expression.

import { startCompletion } from "@codemirror/autocomplete";
import { EditorSelection, type Extension } from "@codemirror/state";
import { EditorView, keymap, type KeyBinding } from "@codemirror/view";

import { isInside, mappedField, openMarked } from "./pills";
import { expressionAt } from "./template";

const PAIRS: Record<string, string> = { "(": ")", '"': '"', "`": "`", "[": "]" };

const typing = EditorView.inputHandler.of((view, from, to, text) => {
  const { state } = view;
  if (text.length !== 1 || state.readOnly || view.composing) return false;
  const behind = state.sliceDoc(to, to + 2);
  const put = (insert: string, cursor: number) => {
    view.dispatch({ changes: { from, to, insert }, selection: { anchor: from + cursor }, userEvent: "input.type", scrollIntoView: true });
    return true;
  };
  const inside = isInside(state, from);
  if (text === "{" && !inside && state.sliceDoc(from - 1, from) === "{" && state.sliceDoc(from - 2, from - 1) !== "{") {
    put(behind.startsWith("}}") ? "{" : "{}}", 1);
    startCompletion(view);
    return true;
  }
  const mapped = expressionAt(state.field(mappedField), from);
  if (from === to && behind[0] === text && (text === "}" ? mapped?.closed === true || closes(view, from) : inside && ')"`]'.includes(text))) {
    view.dispatch({ selection: EditorSelection.cursor(from + 1), userEvent: "select" });
    return true;
  }
  const pair = PAIRS[text];
  if (pair === undefined || !inside || from !== to) return false;
  const under = mapped?.tokens.find((token) => token.from < from && from < token.to);
  if (under?.kind === "text" || under?.kind === "quoted" || /[\p{Alphabetic}\p{N}]/u.test(behind[0] ?? "")) return false;
  return put(text + pair, 1);
});

/** Between the two braces that close an expression. */
function closes(view: EditorView, at: number): boolean {
  return view.state.field(mappedField).some(({ closed, to }) => closed && to - 1 === at);
}

/** Takes away both of a pair that has nothing between them. */
function deletePair(view: EditorView): boolean {
  const { state } = view;
  const { from, empty } = state.selection.main;
  if (!empty || state.readOnly) return false;
  const around = (length: number) => state.sliceDoc(from - length, from + length);
  const length = around(2) === "{{}}" ? 2 : isInside(state, from) && ["()", '""', "``", "[]"].includes(around(1)) ? 1 : 0;
  if (length === 0) return false;
  view.dispatch({ changes: { from: from - length, to: from + length }, userEvent: "delete.backward" });
  return true;
}

const bindings: KeyBinding[] = [
  { key: "Backspace", run: deletePair },
  { key: "Enter", run: openMarked },
  { key: "F2", run: openMarked },
];

export function typingKeys(): Extension {
  return [typing, keymap.of(bindings)];
}
