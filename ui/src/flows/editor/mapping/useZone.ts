import { useEditor } from "../store";

/** The time zone of the open flow, in which its dates are read and compared. */
export function useZone(): string | undefined {
  return useEditor((editor) => zoneOf(editor.document.metadata));
}

function zoneOf(metadata: Record<string, unknown> | undefined): string | undefined {
  const zone = (metadata?.["loopwright"] as { zone?: unknown } | undefined)?.zone;
  return typeof zone === "string" && zone !== "" ? zone : undefined;
}
