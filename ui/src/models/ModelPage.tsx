import { useParams } from "wouter";
import { useQuery } from "@tanstack/react-query";

import { useAddressValue } from "../kit/address";
import { Chip } from "../kit/Chip";
import { Page } from "../kit/Page";
import { Read } from "../kit/Read";
import { Tabs } from "../kit/Tabs";
import { models } from "./api";
import { CasesTab } from "./CasesTab";
import { DraftTab } from "./DraftTab";
import { ProcessTab } from "./ProcessTab";
import { TriggersTab } from "./TriggersTab";
import { VersionsTab } from "./VersionsTab";
import "./models.css";

/** A knowledge model: its triggers, its process, its text. */
export default function ModelPage() {
  const params = useParams<{ model: string }>();
  const id = decodeURIComponent(params.model);
  const model = useQuery({ queryKey: ["models", id], queryFn: () => models.show(id) });
  const [tab, setTab] = useAddressValue("tab");
  const shown = model.data;
  const published = shown?.published;
  const ahead = shown !== undefined && published != null && shown.draft !== shown.publishedText;
  return (
    <Page
      title={shown?.name ?? id}
      above={[{ name: "Knowledge models", to: "/models" }]}
      standing={
        shown !== undefined && (
          <>
            {published == null ? <Chip>Draft</Chip> : <Chip tone="published">Published, version {published}</Chip>}
            {ahead && <Chip tone="warn">The draft is ahead</Chip>}
          </>
        )
      }
    >
      <Read query={model}>
        {(all) => (
          <Tabs
            label="Parts of the model"
            open={tab ?? (all.published == null ? "draft" : "triggers")}
            onOpen={setTab}
            tabs={[
              { id: "triggers", name: "Triggers", content: <TriggersTab model={id} published={all.published != null} /> },
              { id: "process", name: "Process", content: <ProcessTab model={id} /> },
              { id: "cases", name: "Cases", content: <CasesTab model={id} /> },
              { id: "draft", name: "Draft", content: <DraftTab model={all} /> },
              { id: "versions", name: "Versions", content: <VersionsTab model={id} /> },
            ]}
          />
        )}
      </Read>
    </Page>
  );
}
