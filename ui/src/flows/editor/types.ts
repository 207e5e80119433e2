// What the parts of the editor share: canvas, settings panel and bubbles.

import type { FlowDocument } from "./document";

/** A kind of module, as `GET /modules` lists it. */
export interface ModuleKind {
  name: string;
  versions: number[];
  app: string;
  appName: string;
  /** Dark enough for white on it. */
  colour: string;
  label: string;
  description: string;
  kind: string;
  /** There is a newer one for the same thing; flows from elsewhere still have it. */
  older?: boolean;
  /** JSON Schema with `properties.parameters` and `properties.mapper`. */
  schema: JsonSchema;
  /** An SVG of 24 by 24 in the colour of the text around it. */
  icon: string;
  outputs: OutputField[];
  words: string[];
}

/** A field that a module gives. */
export interface OutputField {
  name: string;
  label?: string;
  kind: string;
  fields?: OutputField[];
}

export interface JsonSchema {
  type?: string | string[];
  title?: string;
  description?: string;
  default?: unknown;
  enum?: unknown[];
  const?: unknown;
  items?: JsonSchema;
  properties?: Record<string, JsonSchema>;
  required?: string[];
  additionalProperties?: boolean | JsonSchema;
  format?: string;
  minimum?: number;
  maximum?: number;
  "x-advanced"?: boolean;
  "x-picker"?: string;
  [key: string]: unknown;
}

/** What a module last gave, and was given. */
export interface Sample {
  bundles: unknown[];
  input: unknown;
  run: string;
  at: string;
  /** A person pasted it in this browser; no run gave it. */
  pasted?: boolean;
}

/** What is selected on the canvas. */
export type Selection = { kind: "module"; id: number } | { kind: "wire"; to: number } | null;

/** What one module did in the run that is shown: the bubble above it. */
export interface Done {
  /** Operations so far. */
  operations: number;
  /** Whether the last one is green, yellow, red, under way, or waits for a person's decision. */
  status: "running" | "held" | "success" | "warning" | "error";
  statusCode: number | null;
}

/** The editor's state; `store.ts` makes it, one per open flow. */
export interface EditorState {
  flow: string;
  document: FlowDocument;
  /** What the draft was when it was read or last stored. */
  revision: string | null;
  selection: Selection;
  kinds: Map<string, ModuleKind>;
  samples: Record<number, Sample>;
  /** By module id, of the run that is shown; empty where none is. */
  done: Record<number, Done>;
  saving: "stored" | "unsaved" | "storing" | "conflict";
  canUndo: boolean;
  canRedo: boolean;
  /** Changes the document; the words say what for ("Move HTTP"), for undo. Changes with the same `joins` in a row are one step. */
  edit: (words: string, change: (document: FlowDocument) => FlowDocument, joins?: string) => void;
  undo: () => void;
  redo: () => void;
  select: (selection: Selection) => void;
}
