// The flow as it is stored: a tree of modules, in the words of the format. The
// editor changes it by pure functions (`edits.ts`) and never keeps a second
// model beside it. Keys that are not named here stay as they are.

/** A document, as `GET /flows/{flow}/document` gives it. */
export interface FlowDocument {
  name?: string;
  flow: ModuleNode[];
  metadata?: Record<string, unknown>;
  scheduling?: Record<string, unknown>;
  variables?: Record<string, unknown>;
  [key: string]: unknown;
}

/** A module in its place. */
export interface ModuleNode {
  /** Unique in the document; not a position. */
  id: number;
  /** `app:Name`. */
  module: string;
  version?: number;
  /** Static settings. */
  parameters?: Record<string, unknown> | null;
  /** Fields with `{{…}}`. */
  mapper?: unknown;
  /** Condition at the entrance: on the wire that leads here. */
  filter?: Filter | null;
  /** Ways out of a router. */
  routes?: Route[];
  /** Ways out of an if-else. */
  branches?: Branch[];
  /** What happens when the module fails. */
  onerror?: ModuleNode[];
  /** Body of a repeat-until. */
  flow?: ModuleNode[];
  /** Condition that ends a repeat-until. */
  until?: Filter;
  metadata?: { designer?: Designer; [key: string]: unknown };
  [key: string]: unknown;
}

export interface Route {
  flow: ModuleNode[];
  [key: string]: unknown;
}

export interface Branch {
  type?: "condition" | "else";
  label?: string;
  conditions?: Condition[][];
  merge?: boolean;
  disabled?: boolean;
  flow?: ModuleNode[];
  [key: string]: unknown;
}

/** Conditions: outer *or*, inner *and*. */
export interface Filter {
  name?: string;
  conditions: Condition[][];
  [key: string]: unknown;
}

export interface Condition {
  a: unknown;
  /** As `text:equal`. */
  o: string;
  b?: unknown;
}

/** What the editor remembers of a module. */
export interface Designer {
  x?: number;
  y?: number;
  /** The name that a person gave it. */
  name?: string;
  [key: string]: unknown;
}
