// Notes on the canvas. The format keeps them under `metadata.notes`, each with
// the modules that it is about; where it lies is remembered beside that.

import type { FlowDocument } from "./document";
import type { Point } from "./layout";

export interface Note {
  moduleIds: number[];
  /** HTML where it comes from elsewhere; ours is plain text. */
  content: string;
  title?: string;
  isFilterNote?: boolean;
  designer?: { x?: number; y?: number };
  [key: string]: unknown;
}

/** The notes of a flow, with what stands there that is none left out. */
export function notesOf(document: FlowDocument): Note[] {
  const notes = document.metadata?.["notes"];
  return Array.isArray(notes) ? (notes as Note[]) : [];
}

function withNotes(document: FlowDocument, notes: Note[]): FlowDocument {
  return { ...document, metadata: { ...document.metadata, notes } };
}

export function addNote(document: FlowDocument, moduleIds: number[], at: Point): FlowDocument {
  const note: Note = { moduleIds, content: "", isFilterNote: false, designer: { x: Math.round(at.x), y: Math.round(at.y) } };
  return withNotes(document, [...notesOf(document), note]);
}

export function setNote(document: FlowDocument, index: number, change: Partial<Note>): FlowDocument {
  return withNotes(document, notesOf(document).map((note, place) => (place === index ? { ...note, ...change } : note)));
}

export function removeNote(document: FlowDocument, index: number): FlowDocument {
  return withNotes(document, notesOf(document).toSpliced(index, 1));
}

/** What a note says, as plain text. */
export function noteText(note: Note): string {
  if (typeof note.content !== "string") return "";
  if (!/<[a-z][^>]*>/i.test(note.content)) return note.content;
  const broken = note.content.replace(/<br\s*\/?>|<\/(p|div|h\d|li)>/gi, "\n");
  return (new DOMParser().parseFromString(broken, "text/html").body.textContent ?? "").trim();
}

/** Where a note is drawn: where it was put, else above what it is about. */
export function noteAt(note: Note, index: number, positions: Map<number, Point>): Point {
  const { x, y } = note.designer ?? {};
  if (typeof x === "number" && typeof y === "number") return { x, y };
  const about = positions.get(note.moduleIds?.[0] ?? -1);
  return about === undefined ? { x: index * 220, y: -220 } : { x: about.x - 60, y: about.y - 160 };
}
