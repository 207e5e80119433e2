import { useMemo } from "react";
import { Graph, layout } from "@dagrejs/dagre";

import { Standing } from "./Standing";
import type { Task } from "./api";
import { bodyOf, standing } from "./words";

const WIDTH = 200;
const HEIGHT = 74;
const MARGIN = 12;

interface Props {
  tasks: Task[];
  /** The task that is looked at. */
  chosen?: string | undefined;
  onChoose?: (key: string) => void;
}

/** The tasks of a job and what they wait for, from left to right. */
export function TaskGraph({ tasks, chosen, onChoose }: Props) {
  const shape = tasks.map((task) => [task.task_key, task.depends_on?.map((before) => before.task_key)]);
  const placed = useMemo(() => place(tasks), [JSON.stringify(shape)]);
  if (tasks.length === 0) return <p className="muted">It has no tasks.</p>;
  return (
    <div className="graph" tabIndex={0} role="group" aria-label="Tasks">
      <div className="graph-sheet" style={{ width: placed.width, height: placed.height }}>
        <svg width={placed.width} height={placed.height} aria-hidden="true">
          {placed.edges.map(({ from, to, points }) => (
            <polyline key={`${from} ${to}`} points={points} fill="none" />
          ))}
        </svg>
        {tasks.map((task) => {
          const at = placed.nodes.get(task.task_key);
          const { sort, what } = bodyOf(task);
          const tone = task.state === undefined ? "plain" : standing(task.state).tone;
          return (
            <button
              key={task.task_key}
              type="button"
              className={`node is-${tone}`}
              style={{ left: at?.x, top: at?.y, width: WIDTH, height: HEIGHT }}
              aria-pressed={onChoose === undefined ? undefined : task.task_key === chosen}
              disabled={onChoose === undefined}
              onClick={() => onChoose?.(task.task_key)}
              title={what}
            >
              <strong>{task.task_key}</strong>
              <span className="muted">
                {sort}
                {what !== "" && ` · ${what.split("/").at(-1)}`}
              </span>
              {task.state !== undefined && <Standing state={task.state} />}
            </button>
          );
        })}
      </div>
    </div>
  );
}

function place(tasks: Task[]) {
  const graph = new Graph();
  graph.setGraph({ rankdir: "LR", nodesep: 16, ranksep: 48, marginx: MARGIN, marginy: MARGIN });
  graph.setDefaultEdgeLabel(() => ({}));
  for (const task of tasks) graph.setNode(task.task_key, { width: WIDTH, height: HEIGHT });
  for (const task of tasks) {
    for (const before of task.depends_on ?? []) graph.setEdge(before.task_key, task.task_key);
  }
  layout(graph);
  const nodes = new Map<string, { x: number; y: number }>();
  for (const key of graph.nodes()) {
    const { x, y } = graph.node(key) as { x: number; y: number };
    nodes.set(key, { x: x - WIDTH / 2, y: y - HEIGHT / 2 });
  }
  const edges = graph.edges().map((edge) => {
    const { points } = graph.edge(edge) as { points: { x: number; y: number }[] };
    return { from: edge.v, to: edge.w, points: points.map(({ x, y }) => `${x},${y}`).join(" ") };
  });
  const { width, height } = graph.graph() as { width: number; height: number };
  return { nodes, edges, width, height };
}
