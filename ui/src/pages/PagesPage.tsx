import { Link } from "wouter";
import { useQuery } from "@tanstack/react-query";

import { Empty } from "../kit/Empty";
import { Page } from "../kit/Page";
import { Read } from "../kit/Read";
import { When } from "../kit/When";
import { listPages } from "./api";

/** What flows have written for people. */
export default function PagesPage() {
  const all = useQuery({ queryKey: ["pages"], queryFn: listPages });
  return (
    <Page title="Pages">
      <Read query={all}>
        {(found) =>
          found.length === 0 ? (
            <Empty title="No page yet">
              <p>
                A flow writes a page with the HTTP module, in Markdown: <code>PUT loopwright://this/api/v1/pages/NAME</code> with <code>title</code> and{" "}
                <code>text</code>. Begin with <Link href="/flows">a flow</Link>.
              </p>
            </Empty>
          ) : (
            <div className="table-frame" role="region" aria-label="All pages" tabIndex={0}>
              <table className="list">
                <thead>
                  <tr>
                    <th scope="col">Page</th>
                    <th scope="col">Written</th>
                    <th scope="col">By</th>
                    <th scope="col" className="amount">
                      Version
                    </th>
                  </tr>
                </thead>
                <tbody>
                  {found.map(({ name, title, writtenAt, writtenBy, version }) => (
                    <tr key={name}>
                      <td>
                        <Link href={`/pages/${name}`}>{title}</Link>
                      </td>
                      <td>
                        <When at={writtenAt} />
                      </td>
                      <td>{writtenBy}</td>
                      <td className="amount">{version.toLocaleString()}</td>
                    </tr>
                  ))}
                </tbody>
              </table>
            </div>
          )
        }
      </Read>
    </Page>
  );
}
