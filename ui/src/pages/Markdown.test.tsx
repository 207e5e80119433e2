import { renderToStaticMarkup } from "react-dom/server";
import { Router } from "wouter";
import { expect, it } from "vitest";

import { Markdown } from "./Markdown";

const drawn = (text: string) =>
  renderToStaticMarkup(
    <Router ssrPath="/">
      <Markdown text={text} />
    </Router>,
  ).replace(/^<div class="markdown">|<\/div>$/g, "");

it.each([
  ["text with *some* **weight** & an &amp;", "<p>text with <em>some</em> <strong>weight</strong> &amp; an &amp;</p>"],
  ["### High\n\n##### Low", "<h2>High</h2><h4>Low</h4>"],
  ["<script>alert(1)</script>", "<p>&lt;script&gt;alert(1)&lt;/script&gt;</p>"],
  ["an <img src=x onerror=alert(1)> inside", "<p>an &lt;img src=x onerror=alert(1)&gt; inside</p>"],
  ["[run](javascript:alert(1)) [there](https://example.org)", '<p>run <a href="https://example.org" rel="noreferrer">there</a></p>'],
  ["[elsewhere](//example.org) ![a picture](https://example.org/p.png)", '<p>elsewhere <a href="https://example.org/p.png" rel="noreferrer">a picture</a></p>'],
  ["1. one\n2. two\n   - three", '<ol start="1"><li>one</li><li>two<ul><li>three</li></ul></li></ol>'],
  ["`a < b`", "<p><code>a &lt; b</code></p>"],
])("draws %s", (text, expected) => {
  expect(drawn(text)).toBe(expected);
});

it("draws tables with their numbers to the right", () => {
  const table = drawn("| who | n |\n|---|--:|\n| Ann | 3 |");
  expect(table).toContain('<th scope="col">who</th><th scope="col" class="amount">n</th>');
  expect(table).toContain('<td>Ann</td><td class="amount">3</td>');
});
