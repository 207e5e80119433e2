// One module, run without the others: with the last values of those before it.

import { LoaderCircle, Play } from "lucide-react";
import { useQueryClient, type QueryClient } from "@tanstack/react-query";

import { say, warn } from "../../../kit/toasts";
import { readRun } from "../../../runs/api";
import { useShownRun } from "../../../runs/shownRun";
import { doneUpTo } from "../../../runs/totals";
import { standingWord } from "../../../runs/words";
import { before, find } from "../edits";
import { storeAll } from "../saving";
import { useEditor, useEditorStore, type EditorStore } from "../store";
import type { Sample } from "../types";
import { runModule } from "./api";
import { useRunning } from "./running";
import { useSamples } from "./samples";
import { modulesIn } from "./template";

const LOOK_EVERY_MS = 300;

interface Props {
  module: number;
  name: string;
  small?: boolean;
  /** The button stands at a field of another module. */
  that?: boolean;
}

export function RunAlone({ module, name, small = false, that = false }: Props) {
  const store = useEditorStore();
  const queries = useQueryClient();
  const samples = useSamples();
  const readonly = useEditor((editor) => editor.readonly);
  const running = useRunning((all) => all.module);
  if (readonly) return null;
  const mine = running === module;
  return (
    <button
      type="button"
      className={small ? "panel-add" : "panel-alone"}
      disabled={running !== null}
      title="Runs it for real, with the last values of the modules before it"
      onClick={() => void runAlone(store, queries, module, samples)}
    >
      {mine ? <LoaderCircle aria-hidden="true" size={15} className="runs-turning" /> : <Play aria-hidden="true" size={15} />}
      {mine ? "Running" : that ? "Run that module only" : "Run this module only"}
      {small && <span className="unseen">: {name}</span>}
    </button>
  );
}

/** Stores the draft, runs the module, and follows the run until it ends; its bubble shows it. */
async function runAlone(store: EditorStore, queries: QueryClient, module: number, samples: Record<number, Sample>): Promise<void> {
  const { flow, setDone } = store.getState();
  useRunning.setState({ module });
  try {
    if (!(await storeAll(store))) throw new Error("The draft could not be stored, so the module was not run. Your changes are kept here.");
    const { id } = await runModule(flow, module, bundlesFor(store, module, samples));
    for (;;) {
      const run = await readRun(id);
      const { [module]: done } = doneUpTo(run.operations, run.operations.length, run.inFlight);
      useShownRun.setState({ run, upTo: null });
      setDone(done === undefined ? {} : { [module]: done });
      if (run.state !== "live") {
        const refused = done !== undefined && done.statusCode !== null && done.statusCode >= 400;
        if (run.status === "success") say(refused ? `The module ran: it was answered ${done.statusCode}.` : "The module ran: success.");
        else warn(`${standingWord(run.status)}: ${run.reason ?? "click the bubble of the module to see why"}`);
        break;
      }
      await new Promise((wake) => setTimeout(wake, LOOK_EVERY_MS));
    }
    await queries.invalidateQueries({ queryKey: ["flow", flow, "samples"] });
    void queries.invalidateQueries({ queryKey: ["runs"] });
  } catch (error) {
    warn(error);
  } finally {
    useRunning.setState({ module: null });
  }
}

/** The last values of the modules that it names; the start's too, because its bundle can be seen without a name. */
function bundlesFor(store: EditorStore, module: number, samples: Record<number, Sample>): Record<string, unknown> {
  const { document } = store.getState();
  const node = find(document, module)?.module;
  const names = modulesIn([node?.mapper, node?.parameters]);
  const wanted = before(document, module).filter(({ id }, place) => place === 0 || names.has(id));
  return Object.fromEntries(wanted.flatMap(({ id }) => (samples[id] === undefined ? [] : [[String(id), samples[id].bundles.at(-1)]])));
}
