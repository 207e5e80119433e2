// One task: what is asked, and the answer to it.

import { useState } from "react";
import { Link, useParams } from "wouter";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";

import { ApiError } from "../api/client";
import { Chip } from "../kit/Chip";
import { Empty } from "../kit/Empty";
import { Page } from "../kit/Page";
import { Problem } from "../kit/Problem";
import { When } from "../kit/When";
import { say } from "../kit/toasts";
import { useFlowName } from "../flows/useFlowName";
import { answerTask, readTask, type Task } from "./api";
import { otherwiseWords, standingOf } from "./words";
import "./tasks.css";

const ABOVE = [{ name: "Tasks", to: "/inbox" }];

export default function TaskPage() {
  const { task: id } = useParams<{ task: string }>();
  const task = useQuery({ queryKey: ["tasks", "one", id], queryFn: () => readTask(id!) });
  if (task.data === undefined) {
    const gone = task.error instanceof ApiError && task.error.status === 404;
    return (
      <Page title="Task" above={ABOVE}>
        {gone ? (
          <Empty title="There is no such task">
            <p>
              It may have been removed with its run. <Link href="/inbox">See all tasks</Link>.
            </p>
          </Empty>
        ) : task.error !== null ? (
          <Problem error={task.error} onRetry={() => void task.refetch()} />
        ) : (
          <p className="muted">Loading …</p>
        )}
      </Page>
    );
  }
  return <Shown task={task.data} />;
}

function Shown({ task }: { task: Task }) {
  const nameOf = useFlowName();
  const [word, tone] = standingOf(task);
  return (
    <Page title={task.title === "" ? "Task" : task.title} above={ABOVE} standing={<Chip tone={tone}>{word}</Chip>}>
      <div className="tasks-sheet">
        {task.text !== "" && <p className="tasks-text">{task.text}</p>}
        {task.fields.length > 0 && (
          <dl className="tasks-fields">
            {task.fields.map(({ name, value }) => (
              <div key={name}>
                <dt>{name}</dt>
                <dd>{value}</dd>
              </div>
            ))}
          </dl>
        )}
        {task.state === "open" ? <Answer task={task} /> : <Answered task={task} />}
      </div>
      <p className="muted">
        Asked <When at={task.createdAt} as="ago" /> by <Link href={`/flows/${task.flow}`}>{nameOf(task.flow)}</Link> for{" "}
        {task.assignee === "" ? "anybody" : task.assignee}. <Link href={`/runs/${task.run}`}>See its run</Link>
        {task.deadline !== null && task.state === "open" && (
          <>
            . Without an answer until <When at={task.deadline} />, {otherwiseWords(task.otherwise)}
          </>
        )}
        .
      </p>
    </Page>
  );
}

function Answer({ task }: { task: Task }) {
  const queries = useQueryClient();
  const [comment, setComment] = useState("");
  const answer = useMutation({
    mutationFn: (decision: "approve" | "reject") => answerTask(task.id, decision, comment),
    onSuccess: (_, decision) => say(decision === "approve" ? "Approved. The flow goes on." : "Rejected. The flow goes on."),
    onSettled: () => void queries.invalidateQueries({ queryKey: ["tasks"] }),
  });
  const late = answer.error instanceof ApiError && answer.error.status === 409;
  return (
    <form onSubmit={(event) => event.preventDefault()} className="tasks-answer">
      <div className="field">
        <label htmlFor="comment">
          Comment <span className="tasks-optional">optional</span>
        </label>
        <textarea id="comment" rows={3} value={comment} onChange={(event) => setComment(event.target.value)} />
      </div>
      {answer.error !== null && <Problem error={late ? new Error(`Somebody was faster: ${answer.error.message}`) : answer.error} />}
      <div className="actions">
        <button type="button" className="primary" disabled={answer.isPending} onClick={() => answer.mutate("approve")}>
          Approve
        </button>
        <button type="button" className="grave" disabled={answer.isPending} onClick={() => answer.mutate("reject")}>
          Reject
        </button>
      </div>
    </form>
  );
}

function Answered({ task }: { task: Task }) {
  const [word] = standingOf(task);
  return (
    <div className="tasks-answer">
      <p>
        <strong>{word}</strong>
        {task.answeredBy !== null && <> by {task.answeredBy}</>}
        {task.answeredAt !== null && (
          <>
            , <When at={task.answeredAt} />
          </>
        )}
      </p>
      {task.comment !== null && task.comment !== "" && <blockquote>{task.comment}</blockquote>}
    </div>
  );
}
