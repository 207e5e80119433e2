// The inbox: what flows wait for people to say.

import { Link } from "wouter";
import { useQuery } from "@tanstack/react-query";

import { Chip } from "../kit/Chip";
import { Empty } from "../kit/Empty";
import { Page } from "../kit/Page";
import { Problem } from "../kit/Problem";
import { Tabs } from "../kit/Tabs";
import { When } from "../kit/When";
import { useAddressValue } from "../kit/address";
import { useFlowName } from "../flows/useFlowName";
import { listTasks, type Task } from "./api";
import { standingOf } from "./words";
import "./tasks.css";

export default function InboxPage() {
  const [tab, setTab] = useAddressValue("show");
  const open = tab === "answered" ? "answered" : "open";
  const tasks = useQuery({ queryKey: ["tasks", open], queryFn: () => listTasks(open !== "open"), refetchInterval: 10_000 });
  const shown = tasks.data?.filter(({ state }) => (state === "open") === (open === "open"));
  const content = (
    <>
      {tasks.error !== null && <Problem error={tasks.error} onRetry={() => void tasks.refetch()} />}
      {shown?.length === 0 && <Nothing open={open === "open"} />}
      {shown !== undefined && shown.length > 0 && <List tasks={shown} />}
    </>
  );
  return (
    <Page title="Tasks">
      <Tabs
        label="Which tasks"
        open={open}
        onOpen={(id) => setTab(id === "open" ? null : id)}
        tabs={[
          { id: "open", name: "Open", content },
          { id: "answered", name: "Answered", content },
        ]}
      />
    </Page>
  );
}

function List({ tasks }: { tasks: Task[] }) {
  const nameOf = useFlowName();
  return (
    <div className="table-frame">
      <table className="list">
        <thead>
          <tr>
            <th scope="col">Task</th>
            <th scope="col">For</th>
            <th scope="col">Flow</th>
            <th scope="col">Asked</th>
            <th scope="col">Until</th>
            <th scope="col">Status</th>
          </tr>
        </thead>
        <tbody>
          {tasks.map((task) => {
            const [word, tone] = standingOf(task);
            return (
              <tr key={task.id}>
                <td>
                  <Link href={`/inbox/${task.id}`}>{task.title === "" ? "Untitled" : task.title}</Link>
                </td>
                <td>{task.assignee === "" ? "Anybody" : task.assignee}</td>
                <td>
                  <Link href={`/flows/${task.flow}`}>{nameOf(task.flow)}</Link>
                </td>
                <td>
                  <When at={task.createdAt} as="ago" />
                </td>
                <td>{task.deadline === null ? "–" : <When at={task.deadline} as="ago" />}</td>
                <td>
                  <Chip tone={tone}>{word}</Chip>
                </td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </div>
  );
}

function Nothing({ open }: { open: boolean }) {
  return open ? (
    <Empty title="Nobody is asked for anything">
      <p>
        A flow asks people with the module “Wait for approval”. Put it into <Link href="/flows">a flow</Link>, and what it asks appears here.
      </p>
    </Empty>
  ) : (
    <Empty title="Nothing was answered yet">
      <p>
        What was approved, rejected or withdrawn is kept here. <Link href="/inbox">See what is open</Link>.
      </p>
    </Empty>
  );
}
