// The run button: a form for whoever starts a flow without opening its editor,
// and what came of it.

import { useState } from "react";
import { useParams } from "wouter";
import { useQuery } from "@tanstack/react-query";

import { Page } from "../kit/Page";
import { Problem } from "../kit/Problem";
import { useAddressValue } from "../kit/address";
import { readFlow, readForm, startRun } from "./api";
import { RunForm } from "./RunForm";
import { RunProgress } from "./RunProgress";
import "./runs.css";

export default function RunFlowPage() {
  const { flow } = useParams<{ flow: string }>();
  const about = useQuery({ queryKey: ["flow", flow, "brief"], queryFn: () => readFlow(flow!) });
  const form = useQuery({ queryKey: ["flow", flow, "form"], queryFn: () => readForm(flow!) });
  const [run, setRun] = useAddressValue("run");
  const [fresh, setFresh] = useState(0);
  const error = about.error ?? form.error;
  const name = about.data?.name ?? flow!;
  return (
    <Page
      title={`Run ${name}`}
      above={[
        { name: "Flows", to: "/flows" },
        { name, to: `/flows/${flow}` },
      ]}
    >
      {error !== null && <Problem error={error} onRetry={() => void form.refetch()} />}
      {run !== null ? (
        <RunProgress
          run={run}
          onAgain={() => {
            setRun(null);
            setFresh(fresh + 1);
          }}
        />
      ) : (
        form.data !== undefined && (
          <RunForm key={fresh} schema={form.data} onStart={async (input) => setRun((await startRun(flow!, { input })).id)} startName="Run" />
        )
      )}
    </Page>
  );
}
