// What waits for a flow that data starts. A draft may name another hook than the
// published version, or be all that there is; the hook itself says what waits.

import { ApiError } from "../api/client";
import { readDocument } from "../flows/api";
import { hooks } from "../hooks/api";

const TAKES_FROM_HOOK = /^gateway:Custom(Web|Mail)Hook$/i;

/** How many items wait on the hook on which a flow's draft starts; null if it starts on none. */
export async function waitingForDraft(flow: string): Promise<number | null> {
  const { document } = await readDocument(flow);
  const first = document.flow[0];
  if (first === undefined || !TAKES_FROM_HOOK.test(first.module)) return null;
  const named = (first.parameters as Record<string, unknown> | undefined)?.["hook"];
  try {
    return (await hooks.show(typeof named === "string" && named !== "" ? named : flow)).waiting;
  } catch (error) {
    // Nobody has made it yet, so nothing waits.
    if (error instanceof ApiError && error.status === 404) return 0;
    throw error;
  }
}
