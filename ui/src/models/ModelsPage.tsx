import { Link } from "wouter";
import { useQuery } from "@tanstack/react-query";

import { Chip } from "../kit/Chip";
import { Empty } from "../kit/Empty";
import { Page } from "../kit/Page";
import { Read } from "../kit/Read";
import { When } from "../kit/When";
import { models } from "./api";
import "./models.css";

/** The knowledge models that the reader may use. */
export default function ModelsPage() {
  const list = useQuery({ queryKey: ["models"], queryFn: models.list });
  return (
    <Page title="Knowledge models">
      <Read query={list}>
        {(all) =>
          all.length === 0 ? (
            <Empty title="There is no knowledge model yet">
              <p>
                A knowledge model names records, filters and triggers over a data model. First bring rows into a{" "}
                <Link href="/pools">pool</Link>; then write the model as YAML, name it in <code>loopwright.yaml</code>, and run{" "}
                <code>loopwright apply</code>. <code>loopwright demo</code> shows a whole one.
              </p>
            </Empty>
          ) : (
            <div className="table-frame">
              <table className="list">
                <thead>
                  <tr>
                    <th>Name</th>
                    <th>Id</th>
                    <th>State</th>
                    <th>Published</th>
                    <th>Draft changed</th>
                  </tr>
                </thead>
                <tbody>
                  {all.map((model) => (
                    <tr key={model.id}>
                      <td>
                        <Link href={`/models/${model.id}`}>{model.name}</Link>
                      </td>
                      <td>
                        <code>{model.id}</code>
                      </td>
                      <td>{model.published == null ? <Chip>Draft</Chip> : <Chip tone="published">Published, version {model.published}</Chip>}</td>
                      <td>{model.publishedAt ? <When at={model.publishedAt} /> : "never"}</td>
                      <td>
                        <When at={model.changedAt} />
                      </td>
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
