import { useState } from "react";

import { Dialog } from "../../../kit/Dialog";
import { scheduleWords } from "../starts";
import { useEditor } from "../store";

type Scheduling = Record<string, unknown>;

const TYPES: { id: string; name: string }[] = [
  { id: "indefinitely", name: "At regular intervals" },
  { id: "daily", name: "Every day" },
  { id: "weekly", name: "Days of the week" },
  { id: "monthly", name: "Days of the month" },
  { id: "once", name: "Once" },
  { id: "cron", name: "By a cron text" },
  { id: "immediately", name: "Immediately as data arrives" },
  { id: "on-demand", name: "On demand" },
];
const DAYS = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const FIRST: Record<string, Scheduling> = {
  indefinitely: { interval: 900 },
  daily: { time: "08:00" },
  weekly: { days: [1], time: "08:00" },
  monthly: { days: [1], time: "08:00" },
  once: {},
  cron: { cron: "0 8 * * MON-FRI" },
};

/** When the flow runs by itself: what lies behind the clock. */
export function ScheduleDialog({ onClose }: { onClose: () => void }) {
  const before = useEditor((editor) => editor.document.scheduling);
  const edit = useEditor((editor) => editor.edit);
  const [now, setNow] = useState<Scheduling>(before ?? { type: "indefinitely", interval: 900 });
  const type = String(now["type"] ?? "indefinitely");
  const problem = wrong(now);
  const set = (change: Scheduling) => setNow({ ...now, ...change });
  const choose = (next: string) => {
    const kept = Object.fromEntries(["timezone", "catchUp", "between", "restrict"].flatMap((name) => (now[name] === undefined ? [] : [[name, now[name]]])));
    setNow({ type: next, ...FIRST[next], ...kept });
  };
  const save = () => {
    edit("Set the schedule", (document) => ({ ...document, scheduling: now }));
    onClose();
  };
  return (
    <Dialog
      title="Schedule setting"
      onClose={onClose}
      actions={
        <>
          <button type="button" onClick={onClose}>
            Cancel
          </button>
          <button type="button" className="primary" disabled={problem !== null} onClick={save}>
            Save
          </button>
        </>
      }
    >
      <div className="field">
        <label htmlFor="schedule-type">Run Action Flow</label>
        <select id="schedule-type" value={type} onChange={(event) => choose(event.target.value)}>
          {TYPES.map(({ id, name }) => (
            <option key={id} value={id}>
              {name}
            </option>
          ))}
          {!TYPES.some(({ id }) => id === type) && <option value={type}>{type}</option>}
        </select>
      </div>
      {type === "indefinitely" && (
        <div className="field">
          <label htmlFor="schedule-minutes">Minutes</label>
          <input id="schedule-minutes" type="number" min={1} value={minutesOf(now)} onChange={(event) => set({ interval: Math.round(Number(event.target.value) * 60) })} />
        </div>
      )}
      {(type === "weekly" || type === "monthly") && <Days type={type} days={Array.isArray(now["days"]) ? (now["days"] as number[]) : []} onChange={(days) => set({ days })} />}
      {(type === "daily" || type === "weekly" || type === "monthly") && (
        <div className="field">
          <label htmlFor="schedule-time">Time</label>
          <input id="schedule-time" type="time" value={String(now["time"] ?? "")} onChange={(event) => set({ time: event.target.value })} />
        </div>
      )}
      {type === "once" && (
        <div className="field">
          <label htmlFor="schedule-date">Date and time (UTC)</label>
          <input id="schedule-date" type="datetime-local" value={String(now["date"] ?? "").slice(0, 16)} onChange={(event) => set({ date: `${event.target.value}:00Z` })} />
        </div>
      )}
      {type === "cron" && (
        <div className="field">
          <label htmlFor="schedule-cron">Cron text</label>
          <input id="schedule-cron" value={String(now["cron"] ?? "")} onChange={(event) => set({ cron: event.target.value })} />
          <p className="hint">Five fields: minute, hour, day of month, month, day of week.</p>
        </div>
      )}
      {["daily", "weekly", "monthly", "cron"].includes(type) && (
        <div className="field">
          <label htmlFor="schedule-zone">Time zone</label>
          <input id="schedule-zone" placeholder="UTC" list="schedule-zones" value={String(now["timezone"] ?? "")} onChange={(event) => set({ timezone: event.target.value === "" ? undefined : event.target.value })} />
          <datalist id="schedule-zones">
            {["UTC", Intl.DateTimeFormat().resolvedOptions().timeZone].map((zone) => (
              <option key={zone} value={zone} />
            ))}
          </datalist>
        </div>
      )}
      <p className={problem === null ? "muted" : "panel-problem"} role="status">
        {problem ?? `${scheduleWords(now)}. It counts once the flow is published and active.`}
      </p>
    </Dialog>
  );
}

function minutesOf(now: Scheduling): number | "" {
  const seconds = now["interval"];
  return typeof seconds === "number" ? seconds / 60 : 15;
}

/** Says what is missing or wrong. */
function wrong(now: Scheduling): string | null {
  if (now["type"] === "indefinitely" && typeof now["interval"] === "number" && !(now["interval"] >= 60)) return "At least one minute.";
  if ((now["type"] === "weekly" || now["type"] === "monthly") && (now["days"] as unknown[] | undefined)?.length === 0) return "Choose at least one day.";
  if (now["type"] === "once" && Number.isNaN(Date.parse(String(now["date"] ?? "")))) return "Choose a date and time.";
  if (now["type"] === "cron" && String(now["cron"] ?? "").trim().split(/\s+/).length !== 5) return "A cron text has five fields.";
  return null;
}

function Days({ type, days, onChange }: { type: string; days: number[]; onChange: (days: number[]) => void }) {
  const all = type === "weekly" ? [1, 2, 3, 4, 5, 6, 0] : Array.from({ length: 31 }, (_, place) => place + 1);
  const toggle = (day: number) => onChange(days.includes(day) ? days.filter((other) => other !== day) : [...days, day].sort((one, other) => one - other));
  return (
    <fieldset className="field panel-group">
      <legend>Days</legend>
      <div className="schedule-days">
        {all.map((day) => (
          <label key={day} className="schedule-day">
            <input type="checkbox" checked={days.includes(day)} onChange={() => toggle(day)} /> {type === "weekly" ? DAYS[day] : day}
          </label>
        ))}
      </div>
    </fieldset>
  );
}
