import { useState } from "react";
import { useParams } from "wouter";
import { useQuery } from "@tanstack/react-query";
import { Upload } from "lucide-react";

import { useAddressValue } from "../kit/address";
import { Page } from "../kit/Page";
import { Problem } from "../kit/Problem";
import { Tabs } from "../kit/Tabs";
import { pools } from "./api";
import { DataJobsTab } from "./DataJobsTab";
import { ImportDialog } from "./ImportDialog";
import { PermissionsTab } from "./PermissionsTab";
import { PushJobsTab } from "./PushJobsTab";
import { SourcesTab } from "./SourcesTab";
import { SqlTab } from "./SqlTab";
import { TablesTab } from "./TablesTab";
import "./pools.css";

/** A pool: its tables, what fills them, and who may. */
export default function PoolPage() {
  const { pool = "" } = useParams<{ pool: string }>();
  const name = decodeURIComponent(pool);
  const shown = useQuery({ queryKey: ["pools", name], queryFn: () => pools.show(name) });
  const [tab, setTab] = useAddressValue("tab");
  const [importing, setImporting] = useState(false);
  const bring = () => setImporting(true);
  if (shown.error !== null) {
    return (
      <Page title={name} above={[{ name: "Data pools", to: "/pools" }]}>
        <Problem error={shown.error} onRetry={() => void shown.refetch()} />
      </Page>
    );
  }
  return (
    <Page
      title={shown.data?.name ?? name}
      above={[{ name: "Data pools", to: "/pools" }]}
      standing={
        shown.data !== undefined && (
          <span className="pools-id">
            Pool id <code>{shown.data.id}</code>
          </span>
        )
      }
      actions={
        <button type="button" className="primary pools-with-icon" onClick={bring}>
          <Upload aria-hidden="true" size={16} /> Import a file
        </button>
      }
    >
      <Tabs
        label="Parts of the pool"
        open={tab ?? "tables"}
        onOpen={(id) => setTab(id === "tables" ? null : id)}
        tabs={[
          { id: "tables", name: "Tables", content: <TablesTab pool={name} onImport={bring} /> },
          { id: "push-jobs", name: "Push jobs", content: <PushJobsTab pool={name} /> },
          { id: "data-jobs", name: "Data jobs", content: <DataJobsTab pool={name} /> },
          { id: "sql", name: "SQL editor", content: <SqlTab pool={name} /> },
          { id: "sources", name: "Sources", content: <SourcesTab pool={name} /> },
          { id: "permissions", name: "Permissions", content: <PermissionsTab pool={name} /> },
        ]}
      />
      {importing && <ImportDialog pool={name} onClose={() => setImporting(false)} />}
    </Page>
  );
}
