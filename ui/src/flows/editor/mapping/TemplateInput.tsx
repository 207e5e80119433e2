// A field into which values can be mapped, and below it what it comes to.

import { useQueryClient } from "@tanstack/react-query";

import { later } from "../../../kit/Later";
import { useEditor } from "../store";
import { useTarget } from "./inserting";
import { LiveResult } from "./LiveResult";
import { useOutcome } from "./result";
import { useScope } from "./scoped";
import type { TemplateProps } from "./TemplateEditor";
import { useZone } from "./useZone";
import "./mapping.css";

const TemplateEditor = later(() => import("./TemplateEditor"));

interface Props extends Omit<TemplateProps, "mistake"> {
  /** What the check of the flow says of it. */
  problem?: string | undefined;
  /** It holds JSON text. */
  isJson?: boolean;
}

export function TemplateInput({ problem, isJson = false, ...props }: Props) {
  const { id, text, onChange, readonly } = props;
  const { scope } = useScope();
  const zone = useZone();
  const escapes = useEscapes();
  const aimed = useTarget((state) => state.target?.id === id);
  const outcome = useOutcome(text, scope, { zone, isJson: isJson && escapes });
  const mistake = outcome.is === "mistake" ? spanOf(outcome.mistake, text) : null;
  const mend = (fix: string, from: number, to: number) => onChange(text.slice(0, from) + fix + text.slice(to));
  const wrong = outcome.is === "mistake" ? outcome.mistake.message : problem;
  const described = [props.described, wrong].filter((words) => words !== undefined && words !== "").join(". ");
  return (
    <>
      <TemplateEditor {...props} described={described} mistake={mistake} waiting={<div id={id} className="template template-wait">{text}</div>} />
      <LiveResult aimed={aimed} outcome={outcome} onMend={readonly ? undefined : mend} />
      {outcome.is !== "mistake" && problem !== undefined && <p className="panel-problem">{problem}</p>}
    </>
  );
}

/** A place with nothing in it is shown at the letter before it. */
function spanOf({ start, end }: { start: number; end: number }, text: string): { from: number; to: number } {
  if (end > start) return { from: start, to: end };
  return start > 0 && start >= text.length ? { from: start - 1, to: start } : { from: start, to: Math.min(text.length, start + 1) };
}

/** Whether what is mapped into JSON text is escaped: not in flows that came as they were drawn elsewhere. */
function useEscapes(): boolean {
  const flow = useEditor((editor) => editor.flow);
  const said = useEditor((editor) => (editor.document.metadata?.["loopwright"] as { escapeJson?: unknown } | undefined)?.escapeJson);
  const shown = useQueryClient().getQueryData<{ format: string }>(["flow", flow, "document"]);
  return typeof said === "boolean" ? said : shown?.format !== "blueprint";
}
