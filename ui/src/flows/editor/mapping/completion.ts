// What may be written next: values of earlier modules, functions, names and
// operators. It is offered while an expression is written, and anywhere on
// Ctrl+Space.

import { autocompletion, pickedCompletion, type Completion, type CompletionContext, type CompletionResult, type CompletionSection } from "@codemirror/autocomplete";
import { StateEffect, StateField, type Extension } from "@codemirror/state";
import type { EditorView } from "@codemirror/view";

import type { Language, MappingFunction } from "./api";
import { groupRank, groupWords } from "./language";
import { inALine, type Item, type Source } from "./outputs";
import { isInside, mappedField, scopeField } from "./pills";
import { sortOf } from "./scope";
import { expressionAt, written, type Part } from "./template";

export const setLanguage = StateEffect.define<Language | null>();

export const languageField = StateField.define<Language | null>({
  create: () => null,
  update: (language, transaction) => transaction.effects.reduce((now, effect) => (effect.is(setLanguage) ? effect.value : now), language),
});

const ITEMS_MAX = 400;

/** An option with what it shows beside its name. */
interface Option extends Completion {
  source?: Source;
  value?: string;
}

function offered(context: CompletionContext): CompletionResult | null {
  const { state, pos, explicit } = context;
  const mapped = expressionAt(state.field(mappedField), pos);
  if (mapped === null && !explicit) return null;
  const under = mapped?.tokens.find((token) => token.from < pos && pos <= token.to);
  // Nothing is offered inside of a text or behind a finished number.
  if (under?.kind === "text" || (under?.kind === "bad" && !explicit)) return null;
  const reference = mapped?.references.find(({ from, to }) => from < pos && pos <= to);
  // A dot that was just written belongs to what is before it.
  const before = /(?:\d+|[\p{Alphabetic}_$@][\p{Alphabetic}\p{N}_$@]*)(?:\.(?:`[^`]*`|[\p{Alphabetic}\p{N}_$@]+)|\[-?\d*\])*\.?$/u.exec(state.sliceDoc(Math.max(0, pos - 300), pos));
  const from = reference?.from ?? (mapped !== null && before !== null ? pos - before[0].length : under?.kind === "word" ? under.from : pos);
  const language = state.field(languageField);
  return { from, options: optionsFor(state.field(scopeField).sources, language, mapped !== null), validFor: /^[\p{Alphabetic}\p{N}_$@.`[\]-]*$/u };
}

function optionsFor(sources: Source[], language: Language | null, inside: boolean): Option[] {
  const options: Option[] = [];
  for (const [rank, source] of sources.entries()) {
    const section: CompletionSection = { name: `${source.id} · ${source.name}`, rank };
    const add = (item: Item, above: string) => {
      if (options.length >= ITEMS_MAX) return;
      const shown = above + item.label;
      options.push({
        label: item.path,
        displayLabel: shown,
        // In the order in which the module gives them.
        sortText: String(options.length).padStart(4, "0"),
        section,
        source,
        boost: -rank,
        value: item.value === undefined ? item.kind : inALine(item.value),
        apply: applying({ kind: "value", path: item.path }),
        info: () => about(item),
      });
      for (const inner of item.inside) add(inner, `${shown}${item.kind === "array" ? "[1]" : ""} › `);
    };
    for (const item of source.items) add(item, "");
  }
  if (language === null) return options;
  for (const one of language.functions) {
    const section = { name: groupWords(one.group), rank: 1000 + groupRank(one.group) };
    options.push({ label: one.name, detail: one.signature.slice(one.name.length), section, boost: -20, apply: applying({ kind: "function", name: one.name, bare: /\(\s*\)$/.test(one.signature) }), info: () => aboutFunction(one) });
  }
  for (const { name, summary } of language.keywords) {
    options.push({ label: name, section: { name: "Keywords", rank: 2000 }, boost: -30, info: summary, apply: applying({ kind: "word", text: name }) });
  }
  if (!inside) return options;
  for (const { name, summary } of language.operators) {
    options.push({ label: name, section: { name: "Operators", rank: 3000 }, boost: -40, info: summary, apply: applying({ kind: "word", text: name }) });
  }
  return options;
}

function applying(part: Part) {
  return (view: EditorView, completion: Completion, from: number, to: number) => {
    const { text, cursor } = written(part, isInside(view.state, from));
    view.dispatch({
      changes: { from, to, insert: text },
      selection: { anchor: from + cursor },
      scrollIntoView: true,
      userEvent: "input.complete",
      annotations: pickedCompletion.of(completion),
    });
  };
}

function about(item: Item): HTMLElement {
  const about = made("div", "about");
  about.append(made("code", "about-name", `{{${item.path}}}`));
  about.append(made("p", "", item.value === undefined ? `${item.kind}, not seen yet` : `Last value, ${sortOf(item.value)}:`));
  if (item.value !== undefined) about.append(made("pre", "", inALine(item.value, 400)));
  return about;
}

function aboutFunction({ signature, summary, examples }: MappingFunction): HTMLElement {
  const about = made("div", "about");
  about.append(made("code", "about-name", signature), made("p", "", summary));
  const [example] = examples;
  if (example !== undefined) about.append(made("pre", "", `${example.template}\n= ${inALine(example.result, 200)}`));
  return about;
}

function made(tag: string, name: string, text = ""): HTMLElement {
  const element = document.createElement(tag);
  if (name !== "") element.className = name;
  element.textContent = text;
  return element;
}

export function completion(): Extension {
  return [
    languageField,
    autocompletion({
    // Its keys stand in `state.ts`.
    defaultKeymap: false,
      override: [offered],
      icons: false,
      maxRenderedOptions: 120,
      activateOnTypingDelay: 60,
      interactionDelay: 40,
      addToOptions: [
        {
          position: 20,
          render(completion) {
            const { source } = completion as Option;
            if (source === undefined) return null;
            const badge = made("span", "pill-number", String(source.id));
            badge.style.setProperty("--app", source.colour);
            return badge;
          },
        },
        // A list that scrolls has to be reachable; Tab takes what is chosen, so nobody is caught in it.
        {
          position: 1,
          render() {
            const mark = made("span", "");
            mark.hidden = true;
            queueMicrotask(() => mark.closest("ul")?.setAttribute("tabindex", "0"));
            return mark;
          },
        },
        { position: 90, render: (completion) => ((completion as Option).value === undefined ? null : made("span", "option-value", (completion as Option).value)) },
      ],
    }),
  ];
}
