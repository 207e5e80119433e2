// A text into which values can be mapped. It is loaded with the first panel
// that has one.
//
// It lives in a shadow root: there the editor sets its rules as sheets of the
// document, which a strict content policy lets it do; a style element it would
// not. Names are therefore given as words, not as ids of labels outside.

import { useEffect, useLayoutEffect, useRef, useState } from "react";
import { Annotation, Compartment, EditorState } from "@codemirror/state";
import { EditorView, placeholder as emptyWords } from "@codemirror/view";

import { setLanguage } from "./completion";
import { aimAt, aimAway } from "./inserting";
import { setMistake, setScope } from "./pills";
import { useScope } from "./scoped";
import { difference, put, stateOf } from "./state";

export interface TemplateProps {
  id: string;
  /** What people call the field. */
  label: string;
  /** More about it, for whoever hears the field. */
  described?: string | undefined;
  text: string;
  onChange: (text: string) => void;
  readonly: boolean;
  required?: boolean;
  /** Shown while it is empty. */
  placeholder?: string;
  /** Where it has a mistake. */
  mistake?: { from: number; to: number } | null;
}

/** A change that came from outside. */
const given = Annotation.define<boolean>();

export default function TemplateEditor({ id, label, described, text, onChange, readonly, required = false, placeholder, mistake = null }: TemplateProps) {
  const host = useRef<HTMLDivElement>(null);
  const view = useRef<EditorView | null>(null);
  const [attributes] = useState(() => new Compartment());
  const told = useRef(onChange);
  told.current = onChange;
  const aim = useRef({ id, label });
  aim.current = { id, label };
  const { scope, language } = useScope();

  useLayoutEffect(() => {
    const root = host.current!.shadowRoot ?? host.current!.attachShadow({ mode: "open", delegatesFocus: true });
    root.replaceChildren();
    const parent = document.createElement("div");
    root.append(parent);
    const state = stateOf(text, [
      attributes.of([]),
      placeholder === undefined ? [] : emptyWords(placeholder),
      EditorView.updateListener.of((update) => {
        const own = update.transactions.some((transaction) => transaction.docChanged && transaction.annotation(given) !== true);
        if (own) told.current(update.state.doc.toString());
      }),
    ]);
    const made = new EditorView({ state, parent, root });
    view.current = made;
    return () => {
      aimAway(aim.current.id);
      view.current = null;
      made.destroy();
    };
    // The editor is made once; what changes is told to it below.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, []);

  // At once, so that a text of before never comes after the next letter.
  useLayoutEffect(() => {
    const editor = view.current!;
    const now = editor.state.doc.toString();
    if (now !== text) editor.dispatch({ ...difference(now, text), annotations: given.of(true) });
  }, [text]);

  useEffect(() => view.current!.dispatch({ effects: setScope.of(scope) }), [scope]);
  useEffect(() => view.current!.dispatch({ effects: setLanguage.of(language) }), [language]);
  const [from, to] = [mistake?.from ?? -1, mistake?.to ?? -1];
  useEffect(() => {
    const end = view.current!.state.doc.length;
    view.current!.dispatch({ effects: setMistake.of(from < 0 ? null : { from: Math.min(from, end), to: Math.min(to, end) }) });
  }, [from, to]);

  const invalid = from >= 0;
  useEffect(() => {
    const said: Record<string, string> = { "aria-label": label, tabindex: "0", ...(readonly ? { "aria-readonly": "true" } : {}) };
    if (described !== undefined && described !== "") said["aria-description"] = described;
    if (required) said["aria-required"] = "true";
    if (invalid) said["aria-invalid"] = "true";
    view.current!.dispatch({
      effects: attributes.reconfigure([EditorState.readOnly.of(readonly), EditorView.editable.of(!readonly), EditorView.contentAttributes.of(said)]),
    });
  }, [attributes, label, described, readonly, required, invalid]);

  const aimed = () => {
    const editor = view.current;
    if (editor !== null && !readonly) aimAt({ ...aim.current, insert: (part) => put(editor, part) });
  };
  return <div id={id} onFocus={aimed} className={`template${readonly ? " readonly" : ""}${invalid ? " invalid" : ""}`} ref={host} />;
}
