// Running a flow's draft once, and seeing live what each module does.

import { useCallback, useEffect, useMemo, useRef, useState, type ReactNode } from "react";
import { useQueryClient } from "@tanstack/react-query";

import { say, warn } from "../kit/toasts";
import type { Done } from "../flows/editor/types";
import { cancelRun, readForm, readRun, startRun, type RunWhole } from "./api";
import { fieldsOf, type FormSchema } from "./form";
import "./runs.css";
import { useShownRun } from "./shownRun";
import { StartDialog, type Given } from "./StartDialog";
import { doneUpTo } from "./totals";
import { standingWord } from "./words";
import { waitingForDraft } from "./waiting";

export { RunBubble } from "./RunBubble";

const LOOK_EVERY_MS = 300;

export interface RunOnce {
  /** By module id. */
  done: Record<number, Done>;
  /** Id of the run that is shown. */
  run: string | null;
  running: boolean;
  /** How it ended; null while it runs. */
  ended: RunWhole | null;
  /** Asks for inputs where the flow wants some, and starts the draft. */
  start: () => void;
  stop?: () => void;
  /** To be drawn where the hook is used. */
  dialog: ReactNode;
}

type Asked = { form: FormSchema | null } | null;

export function useRunOnce(flow: string): RunOnce {
  const queries = useQueryClient();
  const [id, setId] = useState<string | null>(null);
  const [shown, setShown] = useState<RunWhole | null>(null);
  const [starting, setStarting] = useState(false);
  const [asked, setAsked] = useState<Asked>(null);
  const follows = useRef(0);

  // Another flow, or none: its bubbles go, and nobody follows any more.
  useEffect(
    () => () => {
      follows.current += 1;
      useShownRun.setState({ run: null, upTo: null });
    },
    [flow],
  );

  const follow = useCallback(
    async (run: string) => {
      const turn = (follows.current += 1);
      let known: RunWhole["operations"] = [];
      while (turn === follows.current) {
        const asked = performance.now();
        try {
          const now = await readRun(run, known);
          known = now.operations;
          if (turn !== follows.current) return;
          setShown(now);
          useShownRun.setState({ run: now, upTo: null });
          if (now.state !== "live") {
            tell(now);
            void queries.invalidateQueries({ queryKey: ["runs"] });
            void queries.invalidateQueries({ queryKey: ["flow", flow, "samples"] });
            return;
          }
        } catch (error) {
          warn(error);
          setId(null);
          return;
        }
        // A long run takes longer to read: looking never takes more than half of the time.
        const pause = Math.max(LOOK_EVERY_MS, performance.now() - asked);
        await new Promise((wake) => setTimeout(wake, pause));
      }
    },
    [flow, queries],
  );

  const begin = useCallback(
    async (given: Given) => {
      const started = await startRun(flow, { of: "draft", ...given });
      setAsked(null);
      setShown(null);
      useShownRun.setState({ run: null, upTo: null });
      setId(started.id);
      void follow(started.id);
    },
    [flow, follow],
  );

  const start = useCallback(async () => {
    setStarting(true);
    try {
      const [form, waiting] = await Promise.all([readForm(flow, "draft"), waitingForDraft(flow)]);
      if (fieldsOf(form).length > 0) setAsked({ form });
      else if (waiting === null) await begin({});
      else if (waiting > 0) await begin({ waiting: true });
      else setAsked({ form: null });
    } catch (error) {
      warn(error);
    } finally {
      setStarting(false);
    }
  }, [flow, begin]);

  const live = id !== null && (shown === null || shown.state === "live");
  const stop = useCallback(() => {
    if (id !== null) cancelRun(id).catch(warn);
  }, [id]);
  const done = useMemo(() => (shown === null ? {} : doneUpTo(shown.operations, shown.operations.length, shown.inFlight, shown.status === "held")), [shown]);
  const dialog = asked === null ? null : <StartDialog flow={flow} form={asked.form} onStart={begin} onClose={() => setAsked(null)} />;
  return {
    done,
    run: id,
    running: live || starting,
    ended: live ? null : shown,
    start: () => void start(),
    ...(live ? { stop } : {}),
    dialog,
  };
}

function tell(run: RunWhole): void {
  const { status, reason } = run;
  if (status === "success") say("The run ended: success.");
  else if (status === "cancelled") say("The run was cancelled.");
  else warn(`${standingWord(status)}: ${reason ?? "the run did not end as a success; click a bubble to see why"}`);
}
