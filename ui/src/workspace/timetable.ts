// When a job runs by itself, in words for people.

import type { JobSettings } from "./api";

const DAYS = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const SHORT = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

/** What makes a job run by itself: a word of its settings, and the same in words. */
export interface Timetable {
  setting: "schedule" | "trigger" | "continuous";
  words: string;
  isPaused: boolean;
}

/** Tells when a job runs by itself; null if it never does. */
export function timetableOf(settings: JobSettings): Timetable | null {
  const { schedule, trigger, continuous } = settings;
  if (schedule !== undefined) {
    const words = `${cronInWords(schedule.quartz_cron_expression)}, ${schedule.timezone_id}`;
    return { setting: "schedule", words, isPaused: schedule.pause_status === "PAUSED" };
  }
  if (trigger?.periodic !== undefined) {
    const { interval, unit } = trigger.periodic;
    const one = unit.toLowerCase().replace(/s$/, "");
    const words = interval === 1 ? `Every ${one}` : `Every ${interval} ${one}s`;
    return { setting: "trigger", words, isPaused: trigger.pause_status === "PAUSED" };
  }
  if (continuous !== undefined) {
    return { setting: "continuous", words: "Again and again", isPaused: continuous.pause_status === "PAUSED" };
  }
  return null;
}

/** Puts an expression of Quartz into words; what is too special stays as it is. */
export function cronInWords(expression: string): string {
  const fields = expression.trim().toUpperCase().split(/\s+/);
  const [second = "", minute = "", hour = "", day = "", month = "", weekday = "", year] = fields;
  if (month !== "*" || (year !== undefined && year !== "*")) return expression;
  const everyDay = day === "*" || day === "?" ? weekday === "?" || weekday === "*" : false;
  const number = (text: string) => (/^\d+$/.test(text) ? Number(text) : null);
  const [atSecond, atMinute, atHour] = [number(second), number(minute), number(hour)];
  if (everyDay && hour === "*" && atSecond === 0) {
    const step = /^(?:\*|0)\/(\d+)$/.exec(minute)?.[1];
    if (step !== undefined) return `Every ${step} minutes`;
    if (minute === "*") return "Every minute";
    if (atMinute === 0) return "Every hour";
    if (atMinute !== null) return `Every hour at ${atMinute} minutes past`;
  }
  if (atSecond === null || atMinute === null || atHour === null) return expression;
  const two = (value: number) => String(value).padStart(2, "0");
  const time = `${two(atHour)}:${two(atMinute)}${atSecond === 0 ? "" : `:${two(atSecond)}`}`;
  if (everyDay) return `Every day at ${time}`;
  if (weekday === "?" && number(day) !== null) return `On day ${day} of every month at ${time}`;
  if (weekday === "?" && day === "L") return `On the last day of every month at ${time}`;
  const days = day === "?" ? daysInWords(weekday) : null;
  return days === null ? expression : `${days} at ${time}`;
}

/** Names days of the week; null if there is more to them. */
function daysInWords(field: string): string | null {
  const place = (text: string) => {
    const at = SHORT.indexOf(text);
    if (at >= 0) return at;
    return /^[1-7]$/.test(text) ? Number(text) - 1 : null;
  };
  const parts: string[] = [];
  for (const part of field.split(",")) {
    const ends = part.split("-").map(place);
    const [from, to] = ends;
    if (ends.length > 2 || from === undefined || from === null || to === null) return null;
    parts.push(to === undefined ? `${DAYS[from]}` : `${DAYS[from]} to ${DAYS[to]}`);
  }
  return parts.length === 1 && !parts[0]?.includes(" to ") ? `Every ${parts[0]}` : parts.join(", ");
}
