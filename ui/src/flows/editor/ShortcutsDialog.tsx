// The keys of the canvas, for whoever presses "?" or the button with the keyboard.

import { useEffect, useState } from "react";
import { Keyboard } from "lucide-react";

import { Dialog } from "../../kit/Dialog";
import { OPEN_SHORTCUTS } from "./keys";

/** What keys.ts and the context menu listen for. */
const KEYS: [string, string][] = [
  ["Arrow keys", "Go from module to module"],
  ["Enter", "Open the settings of a module or a wire"],
  ["+ or Insert", "Add a module after this one"],
  ["Delete or Backspace", "Remove what is selected"],
  ["Shift + arrow keys", "Move what is selected"],
  ["Ctrl + C, Ctrl + X, Ctrl + V", "Copy, cut and paste"],
  ["Ctrl + D", "Duplicate what is selected"],
  ["Ctrl + A", "Select everything"],
  ["Ctrl + Z, Ctrl + Y", "Undo and redo"],
  ["/", "Search in this flow"],
  ["Escape", "Close the settings, then select nothing"],
  ["?", "Show these keys"],
];

/** The button of the toolbar, and the list that it or the key opens. */
export function Shortcuts() {
  const [open, setOpen] = useState(false);
  useEffect(() => {
    const listen = () => setOpen(true);
    window.addEventListener(OPEN_SHORTCUTS, listen);
    return () => window.removeEventListener(OPEN_SHORTCUTS, listen);
  }, []);
  return (
    <>
      <button type="button" className="icon" aria-label="Keyboard shortcuts" title="Keyboard shortcuts (?)" onClick={() => setOpen(true)}>
        <Keyboard aria-hidden="true" size={18} />
      </button>
      {open && (
        <Dialog title="Keys" onClose={() => setOpen(false)}>
          <p className="muted">They work while the canvas has the focus. On a Mac, press ⌘ instead of Ctrl.</p>
          <table className="list">
            <thead>
              <tr>
                <th scope="col">Key</th>
                <th scope="col">What it does</th>
              </tr>
            </thead>
            <tbody>
              {KEYS.map(([key, does]) => (
                <tr key={key}>
                  <th scope="row">{key}</th>
                  <td>{does}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </Dialog>
      )}
    </>
  );
}
