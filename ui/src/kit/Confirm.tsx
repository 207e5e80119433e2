import type { ReactNode } from "react";

import { Dialog } from "./Dialog";

interface Props {
  title: string;
  /** What will be different afterwards. */
  children: ReactNode;
  /** The word on the button. */
  verb: string;
  grave?: boolean;
  busy?: boolean;
  onDo: () => void;
  onClose: () => void;
}

/** Asks before something is done, and says what follows from it. */
export function Confirm({ title, children, verb, grave = false, busy = false, onDo, onClose }: Props) {
  return (
    <Dialog
      title={title}
      onClose={onClose}
      actions={
        <>
          <button type="button" onClick={onClose}>
            Cancel
          </button>
          <button type="button" className={grave ? "grave" : "primary"} disabled={busy} onClick={onDo}>
            {verb}
          </button>
        </>
      }
    >
      {children}
    </Dialog>
  );
}
