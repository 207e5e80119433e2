// What two texts of a flow differ in, for people who think in modules.

import { Chip, type Tone } from "../kit/Chip";
import type { Difference, FieldChange, ModuleChange } from "./api";

const WORDS: Record<ModuleChange["change"], [string, Tone]> = {
  added: ["added", "good"],
  removed: ["removed", "bad"],
  moved: ["moved", "warn"],
  changed: ["changed", "busy"],
};

export function DifferenceList({ difference }: { difference: Difference }) {
  const { settings, modules } = difference;
  if (settings.length === 0 && modules.length === 0) return <p className="muted">Both say the same.</p>;
  return (
    <ul className="difference">
      {settings.length > 0 && (
        <li>
          <p>
            <strong>The flow as a whole</strong>
          </p>
          <Fields fields={settings} />
        </li>
      )}
      {modules.map((module) => {
        const [words, tone] = WORDS[module.change];
        const before = module.placeBefore;
        return (
          <li key={`${module.module} ${module.change}`}>
            <p>
              <Chip tone={tone}>{words}</Chip> <strong>{module.label ?? module.kind}</strong>{" "}
              <span className="muted">
                module {module.module}, {before === undefined ? module.place : `${before}, now ${module.place}`}
              </span>
            </p>
            <Fields fields={module.fields} />
          </li>
        );
      })}
    </ul>
  );
}

function Fields({ fields }: { fields: FieldChange[] }) {
  if (fields.length === 0) return null;
  return (
    <dl>
      {fields.map(({ field, before, after }) => (
        <div key={field}>
          <dt>{field}</dt>
          <dd>
            {before !== null && <del>{before}</del>}
            {after !== null && <ins>{after}</ins>}
          </dd>
        </div>
      ))}
    </dl>
  );
}
