// What keys do on the canvas. In a field of text they do what they always do.

import { useEffect, type RefObject } from "react";
import { useReactFlow } from "@xyflow/react";

import { clipboardText, duplicate, pasteText, removePicked, selectAll } from "./acts";
import { setPositions } from "./edits";
import { neighbour, type Graph } from "./graph";
import { gently, positions, settled, SIZE } from "./layout";
import { useEditorStore, type EditorStore } from "./store";

const STEP = 20;

/** Where an event began, also inside of a field that has a shadow root. */
function began(event: Event): EventTarget | null {
  return event.composedPath()[0] ?? event.target;
}

function writes(target: EventTarget | null): boolean {
  return target instanceof Element && target.closest("input, textarea, select, [contenteditable=true], dialog, [role=menu]") !== null;
}

/** The canvas has the keyboard while the focus is on it, or on nothing. */
function onCanvas(target: EventTarget | null, frame: Element | null): boolean {
  return target instanceof Element && (target === window.document.body || target.id === "content" || frame?.contains(target) === true);
}

export function useKeys(frame: RefObject<HTMLElement | null>, graph: Graph): void {
  const store = useEditorStore();
  const canvas = useReactFlow();
  useEffect(() => {
    const show = (id: number) => {
      const shown = graph.modules.find((module) => module.id === id);
      if (shown === undefined) return;
      const { zoom } = canvas.getViewport();
      const box = frame.current?.getBoundingClientRect();
      const at = canvas.flowToScreenPosition(shown.at);
      const inside = box !== undefined && at.x > box.left + 60 && at.x < box.right - 140 && at.y > box.top + 60 && at.y < box.bottom - 140;
      if (!inside) void canvas.setCenter(shown.at.x + SIZE / 2, shown.at.y + SIZE / 2, { zoom, duration: gently(150) });
      const node = () => frame.current?.querySelector<HTMLElement>(`.react-flow__node[data-id="${id}"]`);
      // At once, so that the next arrow goes on from there; what is not drawn yet is in a moment.
      if (node() != null) node()!.focus({ preventScroll: true });
      else requestAnimationFrame(() => node()?.focus({ preventScroll: true }));
    };
    // The focus goes to the module before, else to the canvas, never to nothing.
    const removeAndStay = (target: EventTarget | null) => {
      const from = focused(target, store);
      const before = from === null ? null : neighbour(graph, from, "ArrowLeft");
      // What has the focus need not have been picked before.
      if (from !== null && !store.getState().picked.has(from)) store.getState().select({ kind: "module", id: from });
      removePicked(store);
      requestAnimationFrame(() => {
        const left = before === null ? null : frame.current?.querySelector<HTMLElement>(`.react-flow__node[data-id="${before}"]`);
        (left ?? window.document.getElementById("content"))?.focus({ preventScroll: true });
      });
    };
    const pressed = (event: KeyboardEvent) => {
      if (event.defaultPrevented || writes(began(event))) return;
      const command = event.ctrlKey || event.metaKey;
      const key = event.key.toLowerCase();
      if (command && key === "z") act(event, () => (event.shiftKey ? store.getState().redo() : store.getState().undo()));
      else if (command && key === "y") act(event, () => store.getState().redo());
      else if (!onCanvas(event.target, frame.current)) return;
      else if (command && key === "d") act(event, () => duplicate(store));
      else if (command && key === "a") act(event, () => selectAll(store));
      else if (command) return;
      else if (event.key === "/") act(event, () => window.dispatchEvent(new Event(OPEN_SEARCH)));
      else if (event.key === "?") act(event, () => window.dispatchEvent(new Event(OPEN_SHORTCUTS)));
      else if (event.key === "Delete" || event.key === "Backspace") act(event, () => removeAndStay(event.target));
      else if (event.key === "Escape") act(event, () => leave(store));
      else if (event.key === "Enter" && isThing(event.target)) act(event, () => open(store, event.target as HTMLElement));
      else if ((event.key === "+" || event.key === "Insert") && focused(event.target, store) !== null) act(event, () => ask(store, event.target as Element));
      else if (event.key.startsWith("Arrow")) {
        const from = focused(event.target, store) ?? store.getState().picked.values().next().value ?? null;
        if (event.shiftKey) act(event, () => nudge(store, event.key));
        else
          act(event, () => {
            const next = from === null ? (graph.modules[0]?.id ?? null) : neighbour(graph, from, event.key);
            if (next === null) return;
            store.getState().select({ kind: "module", id: next });
            show(next);
          });
      }
    };
    const copy = (event: ClipboardEvent) => {
      if (writes(began(event)) || !onCanvas(event.target, frame.current) || String(getSelection()) !== "") return;
      const text = clipboardText(store);
      if (text === null) return;
      event.preventDefault();
      event.clipboardData?.setData("text/plain", text);
      store.getState().speak(`Copied ${store.getState().picked.size}`);
      if (event.type === "cut") removePicked(store);
    };
    const paste = (event: ClipboardEvent) => {
      if (writes(began(event)) || !onCanvas(event.target, frame.current)) return;
      const text = event.clipboardData?.getData("text/plain") ?? "";
      if (pasteText(store, text) > 0) event.preventDefault();
    };
    window.addEventListener("keydown", pressed);
    window.addEventListener("copy", copy);
    window.addEventListener("cut", copy);
    window.addEventListener("paste", paste);
    return () => {
      window.removeEventListener("keydown", pressed);
      window.removeEventListener("copy", copy);
      window.removeEventListener("cut", copy);
      window.removeEventListener("paste", paste);
    };
  }, [store, canvas, graph, frame]);
}

/** The list of keys listens for it. */
export const OPEN_SHORTCUTS = "loopwright:shortcuts";

/** The search listens for it. */
export const OPEN_SEARCH = "loopwright:search-flow";

function act(event: KeyboardEvent, then: () => void): void {
  event.preventDefault();
  then();
}

function leave(store: EditorStore): void {
  const { open, setOpen, select } = store.getState();
  if (open) setOpen(false);
  else select(null);
}

/** A module or a wire that has the focus, rather than a button on it. */
function isThing(target: EventTarget | null): boolean {
  return target instanceof Element && target.matches(".react-flow__node, .react-flow__edge, body, #content");
}

function focused(target: EventTarget | null, store: EditorStore): number | null {
  const id = target instanceof Element ? target.closest(".react-flow__node")?.getAttribute("data-id") : null;
  if (id !== null && id !== undefined && /^\d+$/.test(id)) return Number(id);
  const { selection } = store.getState();
  return selection?.kind === "module" ? selection.id : null;
}

function open(store: EditorStore, target: HTMLElement): void {
  const { select, enter, selection } = store.getState();
  const edge = target.closest(".react-flow__edge")?.getAttribute("data-id");
  const to = edge?.split(">")[1];
  const id = focused(target, store);
  if (to !== undefined && /^\d+$/.test(to)) select({ kind: "wire", to: Number(to) });
  else if (target.matches(".react-flow__node") && id !== null) select({ kind: "module", id });
  else if (selection === null) return;
  enter();
}

function ask(store: EditorStore, target: Element): void {
  const id = focused(target, store)!;
  const { left, bottom } = target.getBoundingClientRect();
  store.getState().ask({ place: { kind: "after", id }, at: { x: left, y: bottom } });
}

function nudge(store: EditorStore, key: string): void {
  const { picked, document, edit } = store.getState();
  const all = positions(document);
  const by = { ArrowLeft: [-STEP, 0], ArrowRight: [STEP, 0], ArrowUp: [0, -STEP], ArrowDown: [0, STEP] }[key];
  if (by === undefined || picked.size === 0) return;
  const moves = new Map([...picked].map((id) => [id, { x: all.get(id)!.x + by[0]!, y: all.get(id)!.y + by[1]! }]));
  edit(`Move ${picked.size === 1 ? "a module" : `${picked.size} modules`}`, (before) => setPositions(settled(before), moves), `nudge ${[...picked].join()}`);
}
