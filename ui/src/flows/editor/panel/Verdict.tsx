// What conditions say of the last real values, before anything runs.

import { Check, X } from "lucide-react";

import { judgementWords } from "../../../runs/words";
import type { Condition } from "../document";
import { PasteSample } from "../mapping/PasteSample";
import { useVerdict } from "../mapping/result";
import { RunAlone } from "../mapping/RunAlone";
import { useScope } from "../mapping/scoped";
import { useZone } from "../mapping/useZone";

interface Props {
  conditions: Condition[][] | undefined;
  words: { yes: string; no: string };
}

export function Verdict({ conditions, words }: Props) {
  const { scope } = useScope();
  const verdict = useVerdict(conditions, scope, useZone());
  switch (verdict.is) {
    case "quiet":
      return null;
    case "mistake":
      return <p className="result wrong">{verdict.message}</p>;
    case "unseen": {
      const [first] = verdict.sources;
      if (first === undefined) return null;
      return (
        <div className="result unseen-yet">
          <p>Whether it holds is seen here once “{first.name}” has run.</p>
          <div className="result-acts">
            {first.alone && <RunAlone module={first.id} name={first.name} small that />}
            <PasteSample module={first.id} name={first.name} />
          </div>
        </div>
      );
    }
    case "judged": {
      const { judgement } = verdict;
      const [Icon, said] = judgement.passes ? [Check, words.yes] : [X, words.no];
      return (
        <p className={`verdict ${judgement.passes ? "yes" : "no"}`} role="status">
          <Icon aria-hidden="true" size={15} />
          <span>
            <strong>{said}</strong> with the last values: {judgementWords(judgement, true)}
          </span>
        </p>
      );
    }
  }
}
