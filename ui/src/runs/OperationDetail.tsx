// One operation: what it was given, what it gave, and why.

import { Check, X } from "lucide-react";

import { Chip } from "../kit/Chip";
import { duration, When } from "../kit/When";
import type { Choice, Judgement, Operation } from "./api";
import { took } from "./totals";
import { ValueTree } from "./Tree";
import { choiceWords, conditionWords, judgementWords, operationWord, toneOf } from "./words";

export function OperationDetail({ operation, choices = [] }: { operation: Operation; choices?: Choice[] }) {
  const { status, statusCode, detail, filter, startedAt, input, output } = operation;
  return (
    <div className="runs-operation">
      <p className="runs-facts">
        <Chip tone={toneOf(status)}>{operationWord(status)}</Chip>
        {statusCode !== null && <StatusCode code={statusCode} />}
        <span>{duration(took(operation))}</span>
        <When at={startedAt} as="time" />
      </p>
      {detail !== null && detail !== "" && filter?.passes !== false && <p className={status === "error" ? "problem" : "runs-note"}>{detail}</p>}
      {filter !== undefined && <JudgementShown judgement={filter} />}
      {choices.map((choice, place) => (
        <div key={place} className="runs-choice">
          <p>
            {choice.taken ? <Check aria-hidden="true" size={14} /> : <X aria-hidden="true" size={14} />} {choiceWords(choice)}
            {choice.reason !== undefined && <span className="muted"> ({choice.reason})</span>}
          </p>
          {choice.filter !== undefined && <JudgementShown judgement={choice.filter} />}
        </div>
      ))}
      {status !== "filtered" && (
        <div className="runs-panes">
          <ValueTree title="Input" value={input} />
          <ValueTree title={output.length === 1 ? "Output" : `Output: ${output.length} bundles`} value={output.length === 1 ? output[0] : output} />
        </div>
      )}
    </div>
  );
}

export function StatusCode({ code }: { code: number }) {
  return <Chip tone={code >= 400 ? "bad" : code >= 300 ? "warn" : "good"}>{code}</Chip>;
}

/** Why a filter let a bundle pass, or not: each condition with what its sides came to. */
export function JudgementShown({ judgement }: { judgement: Judgement }) {
  const several = judgement.any.flat().length > 1;
  return (
    <div className="runs-judgement" role="group" aria-label="What the filter said">
      <p>
        {judgement.name !== undefined && <strong>{judgement.name}: </strong>}
        {several ? (judgement.passes ? "Passed" : "Did not pass") : judgementWords(judgement)}
      </p>
      {several &&
        judgement.any.map((all, place) => (
          <ul key={place} aria-label={place === 0 ? "Conditions" : "Or all of these"}>
            {all.map((condition, at) => (
              <li key={at} className={condition.holds ? "holds" : "fails"}>
                {place > 0 && at === 0 && <span className="muted">or</span>}
                {condition.holds ? <Check size={14} aria-label="Holds" /> : <X size={14} aria-label="Does not hold" />}
                <span>{conditionWords(condition)}</span>
              </li>
            ))}
          </ul>
        ))}
    </div>
  );
}
