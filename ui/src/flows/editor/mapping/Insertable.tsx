import type { CSSProperties, ReactNode } from "react";

import { useTarget } from "./inserting";
import { written, type Part } from "./template";

interface Props {
  part: Part;
  /** Of the module that it is of. */
  colour?: string | null;
  title?: string;
  children: ReactNode;
}

/** Something that a click, Enter, or a drag puts into a field. */
export function Insertable({ part, colour = null, title, children }: Props) {
  const target = useTarget((state) => state.target);
  return (
    <button
      type="button"
      className={`mapping-pill ${part.kind}`}
      style={colour === null ? undefined : ({ "--app": colour } as CSSProperties)}
      draggable
      title={title}
      onDragStart={(event) => event.dataTransfer.setData("text/plain", written(part, false).text)}
      onClick={() => target?.insert(part)}
    >
      {children}
    </button>
  );
}
