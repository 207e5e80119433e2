import { describe, expect, it } from "vitest";

import { expressions } from "./template";
import { difference, stateOf } from "./state";

/** Pieces of which odd texts are made. */
const PIECES = [
  "", "a", " ", "\n", "\r\n", "\r", "\t", "\u2028", "\u2029", "\u0000", "\ufeff", "\u00a0", "\u200b", "e\u0301", "😀", "\ud83d", "\udc00", "ß", "مرحبا",
  "{", "}", "{{", "}}", "{{{", "}}}", "{{1.x}}", "{{ 2.a[1].`B c` }}", "{{now}}", '{{if(1.a; "}}"; \'x\')}}', "{{1.\nx}}", '"', '""', "'", "`", "\\", "(", ")", ";", "[", "]", "{\"a\": {{1.b}}}", "<b>", "&amp;", "$&", "%",
];

/** A sequence of numbers below one that is always the same. */
function chance(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1664525 + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

function oddTexts(count: number): string[] {
  const next = chance(20260203);
  return Array.from({ length: count }, () => Array.from({ length: Math.floor(next() * 12) }, () => PIECES[Math.floor(next() * PIECES.length)]).join(""));
}

describe("the text of a field", () => {
  const texts = [...PIECES, ...oddTexts(500)];

  it("comes out as it went in, letter by letter", () => {
    for (const text of texts) {
      const state = stateOf(text);
      expect(state.doc.toString()).toBe(text);
      expect(state.sliceDoc()).toBe(text);
    }
  });

  it("stays the same around what is written at any place, and when that is taken back", () => {
    const next = chance(7);
    for (const text of texts) {
      const state = stateOf(text);
      const at = Math.floor(next() * (text.length + 1));
      const put = PIECES[Math.floor(next() * PIECES.length)]!;
      const after = state.update({ changes: { from: at, insert: put } }).state;
      expect(after.doc.toString()).toBe(text.slice(0, at) + put + text.slice(at));
      expect(after.update({ changes: { from: at, to: at + put.length } }).state.doc.toString()).toBe(text);
    }
  });

  it("becomes another one by the smallest change", () => {
    for (let place = 1; place < texts.length; place += 1) {
      const [before, after] = [texts[place - 1]!, texts[place]!];
      expect(stateOf(before).update(difference(before, after)).state.doc.toString()).toBe(after);
    }
    expect(difference("a{{1.x}}b", "a{{1.xy}}b").changes).toEqual({ from: 6, to: 6, insert: "y" });
  });

  it("has expressions that lie in it, one behind the other", () => {
    for (const text of texts) {
      let end = 0;
      for (const { from, to, closed, tokens } of expressions(text)) {
        expect(text.slice(from, from + 2)).toBe("{{");
        expect(text.slice(end, from)).not.toContain("{{");
        if (closed) expect(text.slice(to - 2, to)).toBe("}}");
        else expect(to).toBe(text.length);
        let last = from + 2;
        for (const token of tokens) {
          expect(token.from).toBeGreaterThanOrEqual(last);
          expect(token.to).toBeGreaterThan(token.from);
          last = token.to;
        }
        expect(last).toBeLessThanOrEqual(to);
        end = to;
      }
      expect(text.slice(end)).not.toContain("{{");
    }
  });
});
