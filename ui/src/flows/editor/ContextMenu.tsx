// What can be done with a module, a wire or the canvas: by the right button, or
// by the menu key on what has the focus.

import { useEffect, useState, type ReactNode } from "react";
import * as Radix from "@radix-ui/react-dropdown-menu";
import { useReactFlow } from "@xyflow/react";

import { align, clipboardText, cut, duplicate, pasteText, removePicked, selectAll } from "./acts";
import { addBranch, addRoute, find, IF_ELSE, moveBranch, moveRoute, removeBranch, removeRoute, ROUTER, setComesBack, setErrorRoute, setFallback } from "./edits";
import { OPEN_SEARCH } from "./keys";
import { addNote } from "./notes";
import { useEditorStore, type EditorStore } from "./store";
import { say, warn } from "../../kit/toasts";

interface Item {
  name: ReactNode;
  keys?: string;
  act: () => void;
  grave?: boolean;
  disabled?: boolean;
}

interface Opened {
  at: { x: number; y: number };
  label: string;
  groups: Item[][];
}

/** Listens on the canvas, and shows the menu where it was asked for. */
export function ContextMenu() {
  const store = useEditorStore();
  const canvas = useReactFlow();
  const [opened, setOpened] = useState<Opened | null>(null);
  useEffect(() => {
    const listen = (event: MouseEvent) => {
      const target = event.target instanceof Element ? event.target : null;
      if (target?.closest(".canvas") == null || target.closest("textarea") !== null) return;
      event.preventDefault();
      const thing = target.closest(".react-flow__node, .react-flow__edge");
      // A key has no place: the menu opens at what has the focus.
      const box = thing?.getBoundingClientRect();
      const byKey = event.button !== 2 && box !== undefined;
      const at = byKey ? { x: box.left + box.width / 2, y: box.top + box.height / 2 } : { x: event.clientX, y: event.clientY };
      const id = thing?.getAttribute("data-id") ?? "";
      setOpened(menuOf(store, thing, id, at, canvas.screenToFlowPosition(at)));
    };
    window.addEventListener("contextmenu", listen);
    return () => window.removeEventListener("contextmenu", listen);
  }, [store, canvas]);
  if (opened === null) return null;
  const shown = opened.groups.filter((group) => group.length > 0);
  return (
    <Radix.Root open modal={false} onOpenChange={(open) => !open && setOpened(null)}>
      <Radix.Trigger className="context-at" tabIndex={-1} aria-hidden="true" style={{ left: opened.at.x, top: opened.at.y }} />
      <Radix.Portal container={document.getElementById("content")}>
        <Radix.Content className="menu" align="start" sideOffset={2} collisionPadding={8} aria-label={opened.label} onCloseAutoFocus={(event) => event.preventDefault()}>
          {shown.map((group, place) => (
            <Radix.Group key={place}>
              {place > 0 && <Radix.Separator className="menu-line" />}
              {group.map((item, index) => (
                <Radix.Item key={index} className={item.grave === true ? "menu-item grave" : "menu-item"} disabled={item.disabled === true} onSelect={item.act}>
                  <span>{item.name}</span>
                  {item.keys !== undefined && <kbd>{item.keys}</kbd>}
                </Radix.Item>
              ))}
            </Radix.Group>
          ))}
        </Radix.Content>
      </Radix.Portal>
    </Radix.Root>
  );
}

type Point = Opened["at"];

function menuOf(store: EditorStore, thing: Element | null, id: string, at: Point, place: Point): Opened {
  if (thing?.matches(".react-flow__node") === true && /^\d+$/.test(id)) return moduleMenu(store, Number(id), at);
  const to = thing?.matches(".react-flow__edge") === true ? id.split(">")[1] : undefined;
  if (to !== undefined && /^\d+$/.test(to)) return wireMenu(store, Number(to), at);
  if (id.startsWith("end-")) return endMenu(store, id, at);
  return paneMenu(store, at, place);
}

function moduleMenu(store: EditorStore, id: number, at: Point): Opened {
  const state = store.getState();
  if (!state.picked.has(id)) state.select({ kind: "module", id });
  const { module } = find(state.document, id)!;
  const many = store.getState().picked.size > 1;
  const { readonly, edit } = state;
  const kind = state.kinds.get(module.module)?.kind;
  const ask = (what: "after" | "error") => () =>
    store.getState().ask({ place: what === "after" ? { kind: "after", id } : { kind: "error", of: id }, at });
  const isRouter = module.module === ROUTER;
  const canFail = !isRouter && module.module !== IF_ELSE && kind !== "directive" && kind !== "merge";
  const groups: Item[][] = [
    [{ name: "Open settings", keys: "Enter", act: () => store.getState().setOpen(true), disabled: many }],
    [
      { name: isRouter ? "Add a route" : "Add a module after it", keys: "+", act: ask("after"), disabled: many || readonly },
      ...(isRouter ? [{ name: "Add an empty route", act: () => edit("Add a route", (d) => addRoute(d, id)), disabled: readonly }] : []),
      ...(module.module === IF_ELSE ? [{ name: "Add a branch", act: () => edit("Add a branch", (d) => addBranch(d, id)), disabled: readonly }] : []),
      ...(canFail
        ? [
            module.onerror === undefined
              ? { name: "Add an error route", act: ask("error"), disabled: many || readonly }
              : { name: "Remove the error route", act: () => edit("Remove an error route", (d) => setErrorRoute(d, id, [])), disabled: many || readonly },
          ]
        : []),
      { name: "Add a note", act: () => edit("Add a note", (d) => addNote(d, [id], noteBeside(store, id))), disabled: many || readonly },
    ],
    [
      { name: "Copy", keys: "Ctrl C", act: () => void copy(store) },
      { name: "Duplicate", keys: "Ctrl D", act: () => duplicate(store), disabled: readonly },
      { name: "Disconnect", act: () => cut(store, id), disabled: many || readonly },
    ],
    [{ name: many ? "Remove all of them" : "Remove", keys: "Delete", act: () => removePicked(store), grave: true, disabled: readonly }],
  ];
  return { at, label: "Module", groups };
}

function noteBeside(store: EditorStore, id: number): Point {
  const { x = 0, y = 0 } = find(store.getState().document, id)?.module.metadata?.designer ?? {};
  return { x: x - 60, y: y - 160 };
}

function wireMenu(store: EditorStore, to: number, at: Point): Opened {
  const { document, readonly, select } = store.getState();
  select({ kind: "wire", to });
  const { owner, index, module } = find(document, to)!;
  const filtered = (module.filter?.conditions ?? []).length > 0;
  const first = index === 0;
  return {
    at,
    label: "Wire",
    groups: [
      [
        { name: filtered ? "Change the filter" : "Set up a filter", keys: "Enter", act: () => store.getState().setOpen(true) },
        { name: "Add a module here", act: () => store.getState().ask({ place: { kind: "wire", to }, at }), disabled: readonly },
      ],
      first && owner.kind === "route" ? routeItems(store, owner.of, owner.index) : [],
      first && owner.kind === "branch" ? branchItems(store, owner.of, owner.index) : [],
      [{ name: "Disconnect", keys: "Delete", act: () => cut(store, to), grave: true, disabled: readonly || (first && owner.kind === "onerror") }],
    ],
  };
}

function endMenu(store: EditorStore, key: string, at: Point): Opened {
  const [, of, kind, index] = key.split("-");
  const [module, place] = [Number(of), Number(index)];
  const groups = kind === "route" ? [routeItems(store, module, place)] : kind === "branch" ? [branchItems(store, module, place)] : [];
  return { at, label: "Open end", groups };
}

function routeItems(store: EditorStore, router: number, index: number): Item[] {
  const { edit, document, readonly } = store.getState();
  const module = find(document, router)?.module;
  const count = module?.routes?.length ?? 0;
  const isFallback = module?.parameters?.["else"] === index;
  return [
    { name: `Take it earlier (route ${index + 1} of ${count})`, act: () => edit("Move a route", (d) => moveRoute(d, router, index, index - 1)), disabled: readonly || index === 0 },
    { name: "Take it later", act: () => edit("Move a route", (d) => moveRoute(d, router, index, index + 1)), disabled: readonly || index === count - 1 },
    {
      name: isFallback ? "No longer the fallback route" : "Make it the fallback route",
      act: () => edit("Choose the fallback route", (d) => setFallback(d, router, isFallback ? null : index)),
      disabled: readonly,
    },
    { name: "Remove this route", act: () => edit("Remove a route", (d) => removeRoute(d, router, index)), grave: true, disabled: readonly },
  ];
}

function branchItems(store: EditorStore, ifElse: number, index: number): Item[] {
  const { edit, document, readonly } = store.getState();
  const branches = find(document, ifElse)?.module.branches ?? [];
  const branch = branches[index];
  const merge = branch?.merge === true;
  const conditional = branches.filter(({ type }) => type !== "else").length;
  const order = [
    { name: `Ask it earlier (branch ${index + 1} of ${conditional})`, act: () => edit("Move a branch", (d) => moveBranch(d, ifElse, index, index - 1)), disabled: readonly || index === 0 },
    { name: "Ask it later", act: () => edit("Move a branch", (d) => moveBranch(d, ifElse, index, index + 1)), disabled: readonly || index >= conditional - 1 },
  ];
  return [
    ...(branch?.type === "else" ? [] : order),
    {
      name: merge ? "Let it end here, without coming back" : "Let it come back at the merge",
      act: () => edit("Change a branch", (d) => setComesBack(d, ifElse, index, !merge)),
      disabled: readonly,
    },
    { name: "Remove this branch", act: () => edit("Remove a branch", (d) => removeBranch(d, ifElse, index)), grave: true, disabled: readonly },
  ];
}

function paneMenu(store: EditorStore, at: Point, place: Point): Opened {
  const { readonly, edit, ask } = store.getState();
  return {
    at,
    label: "Canvas",
    groups: [
      [
        { name: "Add a module here", act: () => ask({ place: { kind: "loose", ...place }, at }), disabled: readonly },
        { name: "Add a note here", act: () => edit("Add a note", (d) => addNote(d, [], place)), disabled: readonly },
        { name: "Paste", keys: "Ctrl V", act: () => void paste(store), disabled: readonly },
      ],
      [
        { name: "Select all", keys: "Ctrl A", act: () => selectAll(store) },
        { name: "Search in this flow", keys: "/", act: () => window.dispatchEvent(new Event(OPEN_SEARCH)) },
        { name: "Align automatically", act: () => align(store), disabled: readonly },
      ],
    ],
  };
}

async function copy(store: EditorStore): Promise<void> {
  const text = clipboardText(store);
  if (text === null) return;
  try {
    await navigator.clipboard.writeText(text);
    say("Copied");
  } catch {
    warn("The browser does not let this page write to the clipboard. Press Ctrl C instead.");
  }
}

async function paste(store: EditorStore): Promise<void> {
  try {
    if (pasteText(store, await navigator.clipboard.readText()) === 0) warn("What was copied is no module and no blueprint.");
  } catch {
    warn("The browser does not let this page read the clipboard. Press Ctrl V instead.");
  }
}
