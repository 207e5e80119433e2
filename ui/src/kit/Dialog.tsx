import { useId, useLayoutEffect, useRef, type ReactNode } from "react";
import { X } from "lucide-react";

/** What is typed into comes before what is chosen. */
const FIELDS = [
  ".dialog-body :is(input:not([readonly], [type=hidden], [type=radio], [type=checkbox]), textarea):not(:disabled)",
  ".dialog-body :is(input:not([type=hidden]), select):not(:disabled)",
];

interface Props {
  title: string;
  onClose: () => void;
  children: ReactNode;
  /** Buttons at the foot. */
  actions?: ReactNode;
  wide?: boolean;
}

/**
 * A window above the page. It is the browser's own dialog: focus stays inside,
 * Escape closes it, and the focus goes back to where it was.
 */
export function Dialog({ title, onClose, children, actions, wide = false }: Props) {
  const element = useRef<HTMLDialogElement>(null);
  const titleId = useId();
  // Before it leaves the page, so that the browser can give the focus back.
  useLayoutEffect(() => {
    const dialog = element.current;
    if (dialog !== null && !dialog.open) {
      dialog.showModal();
      // A field, rather than the button that closes it.
      const field = FIELDS.map((kind) => dialog.querySelector<HTMLElement>(kind)).find((found) => found !== null);
      field?.focus();
    }
    return () => {
      dialog?.close();
      // What opened it may be gone, as an item of a menu is.
      if (document.activeElement === document.body) document.getElementById("content")?.focus({ preventScroll: true });
    };
  }, []);
  return (
    <dialog
      ref={element}
      className={wide ? "dialog wide" : "dialog"}
      aria-labelledby={titleId}
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
      onClick={(event) => {
        if (event.target === element.current) onClose();
      }}
    >
      <div className="dialog-inside">
        <div className="dialog-head">
          <h2 id={titleId}>{title}</h2>
          <button type="button" className="icon" aria-label="Close" onClick={onClose}>
            <X aria-hidden="true" size={18} />
          </button>
        </div>
        <div className="dialog-body">{children}</div>
        {actions !== undefined && <div className="dialog-foot">{actions}</div>}
      </div>
    </dialog>
  );
}
