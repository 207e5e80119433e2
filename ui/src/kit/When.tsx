interface Props {
  /** UTC, as the API writes it. */
  at: string;
  /** `time` leaves the date out, `ago` says how long it is since. */
  as?: "moment" | "time" | "ago";
}

/** A point in time in the reader's zone, with UTC on hover. */
export function When({ at, as = "moment" }: Props) {
  const time = new Date(at);
  return (
    <time dateTime={at} title={`${time.toISOString()} (UTC)`}>
      {as === "time" ? clock(time) : as === "ago" ? ago(time, Date.now()) : moment(time)}
    </time>
  );
}

const INSTANT = /(\d{4}-\d\d-\d\dT[\d:.]+Z)/;

/** A sentence of the program's, the instants in it in the reader's zone. */
export function Timed({ text }: { text: string }) {
  return text.split(INSTANT).map((part, place) => (place % 2 === 1 ? <When key={place} at={part} /> : part));
}

function clock(time: Date): string {
  return time.toLocaleTimeString(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
}

function moment(time: Date): string {
  const today = new Date().toDateString() === time.toDateString();
  if (today) return clock(time);
  return time.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
}

const STEPS: [Intl.RelativeTimeFormatUnit, number][] = [
  ["day", 86_400_000],
  ["hour", 3_600_000],
  ["minute", 60_000],
  ["second", 1000],
];

/** Says how far a moment is from now, as "3 minutes ago" or "in 2 hours". */
export function ago(time: Date, now: number): string {
  const distance = time.getTime() - now;
  const words = new Intl.RelativeTimeFormat(undefined, { numeric: "auto" });
  for (const [unit, size] of STEPS) {
    if (Math.abs(distance) >= size) return words.format(Math.trunc(distance / size), unit);
  }
  return words.format(0, "second");
}

/** Says a duration in the largest units that matter: "1.2 s", "3 min 04 s". */
export function duration(milliseconds: number): string {
  if (milliseconds < 1000) return `${milliseconds} ms`;
  if (milliseconds < 60_000) return `${(milliseconds / 1000).toFixed(1)} s`;
  const seconds = Math.floor(milliseconds / 1000);
  const two = (value: number) => String(value).padStart(2, "0");
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${two(seconds % 60)} s`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h ${two(Math.floor((seconds % 3600) / 60))} min`;
  return `${Math.floor(seconds / 86_400)} d ${two(Math.floor((seconds % 86_400) / 3600))} h`;
}
