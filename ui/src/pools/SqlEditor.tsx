// The text field of the SQL editor. It is loaded when it is first opened.
//
// It lives in a shadow root: there the editor sets its rules as sheets of the
// document, which a strict content policy lets it do; a style element it would not.

import { forwardRef, useEffect, useImperativeHandle, useRef } from "react";
import { closeBrackets, autocompletion, completionKeymap } from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap } from "@codemirror/commands";
import { PostgreSQL, sql } from "@codemirror/lang-sql";
import { bracketMatching, HighlightStyle, syntaxHighlighting } from "@codemirror/language";
import { lintGutter, setDiagnostics } from "@codemirror/lint";
import { Compartment, EditorState, Prec } from "@codemirror/state";
import { drawSelection, EditorView, highlightActiveLine, keymap, lineNumbers } from "@codemirror/view";
import { tags } from "@lezer/highlight";

import { meant, type Span } from "./statements";

/** What can be done with the editor from outside. */
export interface SqlEditorHandle {
  /** The text to execute and where it stands, or null if there is none. */
  meant(): { text: string; span: Span } | null;
  insert(text: string): void;
  replace(text: string): void;
  /** Marks where an error lies; null takes the mark away. */
  mark(error: { span: Span; message: string } | null): void;
}

interface Props {
  initial: string;
  /** Columns by table, for completion. */
  schema: Record<string, string[]>;
  onChange: (text: string) => void;
  onExecute: () => void;
}

const colours = HighlightStyle.define([
  { tag: tags.keyword, color: "var(--accent)", fontWeight: "600" },
  { tag: tags.string, color: "var(--good)" },
  { tag: tags.number, color: "var(--signal)" },
  { tag: tags.comment, color: "var(--faint)", fontStyle: "italic" },
]);

const theme = EditorView.theme({
  "&": { height: "100%", fontSize: "14px", color: "var(--ink)", backgroundColor: "var(--sheet)" },
  "&.cm-focused": { outline: "2px solid var(--accent)", outlineOffset: "-2px" },
  ".cm-scroller": { fontFamily: "ui-monospace, Menlo, Consolas, monospace", lineHeight: "1.55" },
  ".cm-content": { caretColor: "var(--ink)", padding: "0.6rem 0" },
  ".cm-cursor": { borderLeftColor: "var(--ink)" },
  ".cm-gutters": { backgroundColor: "var(--sheet)", color: "var(--faint)", border: "none" },
  ".cm-activeLine": { backgroundColor: "color-mix(in srgb, var(--line) 30%, transparent)" },
  "&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground": {
    backgroundColor: "color-mix(in srgb, var(--accent) 28%, transparent)",
  },
  ".cm-tooltip": { backgroundColor: "var(--sheet)", color: "var(--ink)", border: "1px solid var(--line)", borderRadius: "8px" },
  ".cm-tooltip-autocomplete ul li[aria-selected]": { backgroundColor: "var(--accent)", color: "var(--accent-ink)" },
});

const SqlEditor = forwardRef<SqlEditorHandle, Props>(function SqlEditor({ initial, schema, onChange, onExecute }, handle) {
  const host = useRef<HTMLDivElement>(null);
  const view = useRef<EditorView | null>(null);
  const language = useRef(new Compartment());
  const told = useRef({ onChange, onExecute });
  told.current = { onChange, onExecute };

  useEffect(() => {
    const root = host.current!.shadowRoot ?? host.current!.attachShadow({ mode: "open" });
    root.replaceChildren();
    const parent = document.createElement("div");
    parent.style.height = "100%";
    root.append(parent);
    const execute = () => {
      told.current.onExecute();
      return true;
    };
    const state = EditorState.create({
      doc: initial,
      extensions: [
        Prec.highest(keymap.of([{ key: "Mod-Enter", run: execute }])),
        lineNumbers(),
        history(),
        drawSelection(),
        bracketMatching(),
        closeBrackets(),
        autocompletion(),
        highlightActiveLine(),
        lintGutter(),
        language.current.of(sql({ dialect: PostgreSQL, schema })),
        syntaxHighlighting(colours),
        theme,
        EditorView.contentAttributes.of({ "aria-label": "SQL" }),
        // Tab leaves the editor, so that nobody without a mouse is caught in it.
        keymap.of([...completionKeymap, ...defaultKeymap, ...historyKeymap]),
        EditorView.updateListener.of((update) => {
          if (update.docChanged) told.current.onChange(update.state.doc.toString());
        }),
      ],
    });
    const made = new EditorView({ state, parent, root });
    view.current = made;
    made.focus();
    return () => made.destroy();
    // The text belongs to the editor from here on.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, []);

  useEffect(() => {
    view.current?.dispatch({ effects: language.current.reconfigure(sql({ dialect: PostgreSQL, schema })) });
  }, [schema]);

  useImperativeHandle(handle, () => ({
    meant() {
      const state = view.current!.state;
      const { from, to } = state.selection.main;
      const span = meant(state.doc.toString(), from, to);
      return span === null ? null : { span, text: state.sliceDoc(span.from, span.to) };
    },
    insert(text) {
      const editor = view.current!;
      editor.dispatch(editor.state.replaceSelection(text));
      editor.focus();
    },
    replace(text) {
      const editor = view.current!;
      editor.dispatch({ changes: { from: 0, to: editor.state.doc.length, insert: text } });
      editor.focus();
    },
    mark(error) {
      const editor = view.current!;
      const marks = error === null ? [] : [{ ...error.span, severity: "error" as const, message: error.message }];
      editor.dispatch(setDiagnostics(editor.state, marks));
    },
  }));

  return <div className="pools-sql-text" ref={host} />;
});

export default SqlEditor;
