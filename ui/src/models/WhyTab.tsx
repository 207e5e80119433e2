import { useState, type FormEvent } from "react";
import { useQuery } from "@tanstack/react-query";
import { Check, CircleHelp, X } from "lucide-react";

import { useAddressValue } from "../kit/address";
import { Empty } from "../kit/Empty";
import { Read } from "../kit/Read";
import { When } from "../kit/When";
import { triggers, type Why } from "./api";
import { valueInWords } from "./values";

/** Why a trigger holds a case, or does not. */
export function WhyTab({ model, trigger }: { model: string; trigger: string }) {
  const [asked, setAsked] = useAddressValue("case");
  const [text, setText] = useState(asked ?? "");
  const why = useQuery({
    queryKey: ["models", model, trigger, "why", asked],
    queryFn: () => triggers.why(model, trigger, asked ?? ""),
    enabled: asked !== null,
  });
  const ask = (event: FormEvent) => {
    event.preventDefault();
    setAsked(text.trim());
  };
  return (
    <>
      <form className="actions models-bar" onSubmit={ask}>
        <label htmlFor="why-case">Case</label>
        <input id="why-case" value={text} onChange={(event) => setText(event.target.value)} />
        <button type="submit">Ask</button>
      </form>
      {asked === null ? <Empty title="Which case?"><p>Name one to see which of the filters it satisfies, with both sides of each comparison.</p></Empty> : <Read query={why}>{(shown) => <Answer why={shown} />}</Read>}
    </>
  );
}

function Answer({ why }: { why: Why }) {
  return (
    <>
      <p>
        It {why.satisfies === true ? "satisfies" : "does not satisfy"} the trigger, at <When at={why.now} /> by the process clock.
        {why.next.kind === "at" && (
          <>
            {" "}
            Time alone changes that at <When at={why.next.at} />.
          </>
        )}
      </p>
      <ul className="models-why">
        {why.filters.map(({ id, pql, truth, comparisons }) => (
          <li key={id}>
            <Truth of={truth} /> <strong>{id}</strong>
            <pre>{pql}</pre>
            {comparisons.flatMap(({ pql: part, rows }) =>
              rows.map(({ left, right, truth: holds }, place) => (
                <p key={`${part}/${place}`} className="muted">
                  <Truth of={holds} /> {left == null ? "unknown" : valueInWords(left)} against {right == null ? "unknown" : valueInWords(right)}
                </p>
              )),
            )}
          </li>
        ))}
      </ul>
      {why.remarks.map((remark) => (
        <p key={remark}>{remark}</p>
      ))}
    </>
  );
}

function Truth({ of }: { of: boolean | null }) {
  if (of === true) return <Check className="models-yes" size={16} aria-label="holds" />;
  if (of === false) return <X className="models-no" size={16} aria-label="does not hold" />;
  return <CircleHelp size={16} aria-label="unknown, which counts as no" />;
}
