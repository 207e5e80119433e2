import { useState } from "react";
import { Check, Copy } from "lucide-react";

import { Dialog } from "./Dialog";

/** Shows a secret that will not be shown again. */
export function ShownOnce({ title, secret, hint, onClose }: { title: string; secret: string; hint: string; onClose: () => void }) {
  const [copied, setCopied] = useState(false);
  const copy = () => {
    void navigator.clipboard?.writeText(secret).then(() => setCopied(true));
  };
  return (
    <Dialog
      title={title}
      onClose={onClose}
      actions={
        <button type="button" className="primary" onClick={onClose}>
          I have kept it
        </button>
      }
    >
      <p>{hint}</p>
      <div className="shown-once">
        <input readOnly value={secret} aria-label="The secret" onFocus={(event) => event.target.select()} />
        <button type="button" onClick={copy}>
          {copied ? <Check aria-hidden="true" size={16} /> : <Copy aria-hidden="true" size={16} />} {copied ? "Copied" : "Copy"}
        </button>
      </div>
      <p className="muted">It is shown this once. Whoever loses it makes a new one.</p>
    </Dialog>
  );
}
