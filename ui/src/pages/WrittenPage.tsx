// One page that a flow has written; it is read anew when a run ends.

import { useState } from "react";
import { useLocation, useParams } from "wouter";
import { useQuery } from "@tanstack/react-query";

import { ApiError } from "../api/client";
import { useMay } from "../api/status";
import { Confirm } from "../kit/Confirm";
import { Empty } from "../kit/Empty";
import { Page } from "../kit/Page";
import { Problem } from "../kit/Problem";
import { useAct } from "../kit/useAct";
import { When } from "../kit/When";
import { readPage, removePage } from "./api";
import { Markdown } from "./Markdown";
import "./pages.css";

const ABOVE = [{ name: "Pages", to: "/pages" }];

export default function WrittenPage() {
  const { page: name } = useParams<{ page: string }>();
  const page = useQuery({ queryKey: ["pages", name], queryFn: () => readPage(name!), retry: false });
  const may = useMay();
  const [, goTo] = useLocation();
  const [asking, setAsking] = useState(false);
  const { act, busy } = useAct("pages");
  if (page.data === undefined) {
    const gone = page.error instanceof ApiError && page.error.status === 404;
    return (
      <Page title={name ?? "Page"} above={ABOVE}>
        {gone ? (
          <Empty title="There is no such page">
            <p>It may have been removed, or no flow has written it yet.</p>
          </Empty>
        ) : page.error !== null ? (
          <Problem error={page.error} onRetry={() => void page.refetch()} />
        ) : (
          <p className="muted">Reading …</p>
        )}
      </Page>
    );
  }
  const { title, text, writtenAt, writtenBy, version } = page.data;
  const remove = async () => {
    if ((await act(() => removePage(name!).then(() => true), `"${title}" is removed`)) !== null) goTo("/pages");
    else setAsking(false);
  };
  return (
    <Page
      title={title}
      above={ABOVE}
      actions={
        may?.editFlows === true && (
          <button type="button" className="grave" onClick={() => setAsking(true)}>
            Remove
          </button>
        )
      }
    >
      <p className="muted" role="status">
        Written <When at={writtenAt} /> by {writtenBy}, version {version.toLocaleString()}
      </p>
      {text.trim() === "" ? <p className="muted">Nothing stands here.</p> : <Markdown text={text} />}
      {asking && (
        <Confirm title={`Remove "${title}"?`} verb="Remove" grave busy={busy} onDo={() => void remove()} onClose={() => setAsking(false)}>
          <p>A flow that writes it again brings it back.</p>
        </Confirm>
      )}
    </Page>
  );
}
