// What an if-else decides: its branches from the first to the last, each with its
// conditions; and where a repetition ends.

import { ArrowDown, ArrowUp, Plus, Trash2 } from "lucide-react";

import type { Branch, Condition, ModuleNode } from "../document";
import { addBranch, addElse, moveBranch, removeBranch, setBranch, setComesBack, setUntil } from "../edits";
import { useEditor } from "../store";
import { Conditions } from "./Conditions";

const TAKEN = { yes: "This branch would be taken", no: "This branch would not be taken" };
/** A branch further down is only asked where none above it holds. */
const TAKEN_LATER = { yes: "This branch would be taken if none above is", no: TAKEN.no };
const ENDS = { yes: "It would end here", no: "It would go on repeating" };

/** All branches, in the order in which they are asked. */
export function Branches({ module }: { module: ModuleNode }) {
  const edit = useEditor((editor) => editor.edit);
  const readonly = useEditor((editor) => editor.readonly);
  const branches = module.branches ?? [];
  const conditional = branches.filter(({ type }) => type !== "else").length;
  const move = (from: number, to: number) => edit("Move a branch", (document) => moveBranch(document, module.id, from, to));
  return (
    <div className="panel-branches">
      <p className="hint">A bundle takes the first branch whose conditions hold.</p>
      {branches.map((branch, index) => (
        <fieldset className="panel-branch" key={index}>
          <legend>{branch.type === "else" ? "Else" : `Branch ${index + 1}`}</legend>
          <BranchFields ifElse={module.id} index={index} branch={branch} />
          {!readonly && branches.length > 1 && (
            <div className="filter-acts">
              {branch.type !== "else" && conditional > 1 && (
                <>
                  <button type="button" className="icon" aria-label={`Ask branch ${index + 1} earlier`} disabled={index === 0} onClick={() => move(index, index - 1)}>
                    <ArrowUp aria-hidden="true" size={15} />
                  </button>
                  <button type="button" className="icon" aria-label={`Ask branch ${index + 1} later`} disabled={index >= conditional - 1} onClick={() => move(index, index + 1)}>
                    <ArrowDown aria-hidden="true" size={15} />
                  </button>
                </>
              )}
              <button type="button" className="quiet with-icon" onClick={() => edit("Remove a branch", (document) => removeBranch(document, module.id, index))}>
                <Trash2 aria-hidden="true" size={15} /> Remove {branch.type === "else" ? "else" : "this branch"}
              </button>
            </div>
          )}
        </fieldset>
      ))}
      {!readonly && (
        <div className="filter-acts">
          <button type="button" className="panel-add" onClick={() => edit("Add a branch", (document) => addBranch(document, module.id))}>
            <Plus aria-hidden="true" size={15} /> Add a branch
          </button>
          {!branches.some(({ type }) => type === "else") && (
            <button type="button" className="panel-add" onClick={() => edit("Add else", (document) => addElse(document, module.id))}>
              <Plus aria-hidden="true" size={15} /> Add else
            </button>
          )}
        </div>
      )}
    </div>
  );
}

/** One branch: its name, its conditions, and whether it comes back. */
export function BranchFields({ ifElse, index, branch }: { ifElse: number; index: number; branch: Branch }) {
  const edit = useEditor((editor) => editor.edit);
  const readonly = useEditor((editor) => editor.readonly);
  const id = `branch-${ifElse}-${index}`;
  const set = (change: Partial<Branch>, words: string, joins?: string) => edit(words, (document) => setBranch(document, ifElse, index, change), joins);
  return (
    <>
      <div className="field">
        <label htmlFor={`${id}-label`}>Label</label>
        <input
          id={`${id}-label`}
          readOnly={readonly}
          placeholder={branch.type === "else" ? "else" : "Such as Late"}
          value={branch.label ?? ""}
          onChange={(event) => set({ label: event.target.value }, "Name a branch", `${id} label`)}
        />
      </div>
      {branch.type === "else" ? (
        <p className="hint">What fits no other branch goes here.</p>
      ) : (
        <Conditions id={id} conditions={branch.conditions} readonly={readonly} onChange={(conditions, joins) => set({ conditions }, "Set up a branch", joins)} words={index === 0 ? TAKEN : TAKEN_LATER} />
      )}
      <label className="panel-check">
        <input type="checkbox" disabled={readonly} checked={branch.merge === true} onChange={(event) => edit("Change a branch", (document) => setComesBack(document, ifElse, index, event.target.checked))} /> Comes back at
        the merge behind the if-else
      </label>
    </>
  );
}

/** When a repetition ends. */
export function Until({ module }: { module: ModuleNode }) {
  const edit = useEditor((editor) => editor.edit);
  const readonly = useEditor((editor) => editor.readonly);
  // Elsewhere it is written as a list alone.
  const until: unknown = module.until;
  const conditions = Array.isArray(until) ? (until as Condition[][]) : module.until?.conditions;
  return (
    <fieldset className="panel-branch">
      <legend>Until</legend>
      <p className="hint">It is asked behind the last module that is repeated, whose values it can use.</p>
      <Conditions
        id={`until-${module.id}`}
        conditions={conditions}
        readonly={readonly}
        onChange={(next, joins) => edit("Set when a repetition ends", (document) => setUntil(document, module.id, next), joins)}
        words={ENDS}
      />
    </fieldset>
  );
}
