// Markdown as elements of the page. What it was read into is drawn piece by
// piece, so that nothing that a flow wrote can become anything but text, a
// table, a list or a link.

import { Fragment, type ReactNode } from "react";
import { Link } from "wouter";
import { marked, type Token, type Tokens } from "marked";

const HEADINGS = ["h2", "h3", "h4", "h5", "h6", "h6"] as const;

export function Markdown({ text }: { text: string }) {
  const tokens = marked.lexer(text);
  // The highest headings stand right below the title of the page, whatever their number is.
  const depths = tokens.map((token) => (token.type === "heading" ? (token as Tokens.Heading).depth : 6));
  const highest = Math.min(...depths, 6);
  return <div className="markdown">{each(tokens, (token) => (token.type === "heading" ? heading(token as Tokens.Heading, highest) : block(token)))}</div>;
}

function heading({ depth, tokens }: Tokens.Heading, highest: number): ReactNode {
  const Heading = HEADINGS[depth - highest] ?? "h6";
  return <Heading>{inlines(tokens)}</Heading>;
}

const each = (tokens: Token[], draw: (token: Token) => ReactNode) => tokens.map((token, place) => <Fragment key={place}>{draw(token)}</Fragment>);
const blocks = (tokens: Token[]) => each(tokens, block);
const inlines = (tokens: Token[] | undefined) => each(tokens ?? [], inline);

function block(token: Token): ReactNode {
  switch (token.type) {
    case "heading":
      return heading(token as Tokens.Heading, 1);
    case "paragraph":
      return <p>{inlines(token.tokens)}</p>;
    case "blockquote":
      return <blockquote>{blocks(token.tokens ?? [])}</blockquote>;
    case "code":
      return (
        <pre>
          <code>{(token as Tokens.Code).text}</code>
        </pre>
      );
    case "hr":
      return <hr />;
    case "list": {
      const { ordered, start, items } = token as Tokens.List;
      const all = items.map((item, place) => <li key={place}>{blocks(item.tokens)}</li>);
      return ordered ? <ol start={start === "" ? 1 : start}>{all}</ol> : <ul>{all}</ul>;
    }
    case "table":
      return <Table {...(token as Tokens.Table)} />;
    case "space":
    case "def":
      return null;
    // HTML is shown as it is written.
    case "html":
      return <p>{token.raw}</p>;
    default:
      return inline(token);
  }
}

function Table({ header, rows, align }: Tokens.Table) {
  const side = (place: number) => (align[place] === "right" ? "amount" : undefined);
  return (
    <div className="table-frame" role="region" aria-label={header.map(({ text }) => text).join(", ")} tabIndex={0}>
      <table className="list">
        <thead>
          <tr>
            {header.map((cell, place) => (
              <th key={place} scope="col" className={side(place)}>
                {inlines(cell.tokens)}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row, number) => (
            <tr key={number}>
              {row.map((cell, place) => (
                <td key={place} className={side(place)}>
                  {inlines(cell.tokens)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function inline(token: Token): ReactNode {
  switch (token.type) {
    case "strong":
      return <strong>{inlines(token.tokens)}</strong>;
    case "em":
      return <em>{inlines(token.tokens)}</em>;
    case "del":
      return <del>{inlines(token.tokens)}</del>;
    case "codespan":
      return <code>{plain((token as Tokens.Codespan).text)}</code>;
    case "br":
      return <br />;
    case "link":
      return <To href={(token as Tokens.Link).href}>{inlines(token.tokens)}</To>;
    // A picture would be fetched from wherever the writer says.
    case "image":
      return <To href={(token as Tokens.Image).href}>{plain((token as Tokens.Image).text)}</To>;
    case "escape":
      return plain((token as Tokens.Escape).text);
    case "text":
      return token.tokens === undefined ? plain((token as Tokens.Text).text) : inlines(token.tokens);
    default:
      return token.raw;
  }
}

/** Only to where nothing can run on behalf of the reader. */
function To({ href, children }: { href: string; children: ReactNode }) {
  if (/^\/(?!\/)/.test(href)) return <Link href={href}>{children}</Link>;
  if (!/^(https?:|mailto:)/i.test(href)) return <>{children}</>;
  return (
    <a href={href} rel="noreferrer">
      {children}
    </a>
  );
}

const NAMED: Record<string, string> = { "&amp;": "&", "&lt;": "<", "&gt;": ">", "&quot;": '"', "&#39;": "'", "&nbsp;": "\u00a0" };
/** The reader of Markdown leaves these few as they are in HTML. */
const plain = (text: string) => text.replace(/&(amp|lt|gt|quot|#39|nbsp);/g, (name) => NAMED[name] ?? name);
