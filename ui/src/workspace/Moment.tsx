/** A point in time, in epoch milliseconds, in the reader's zone; UTC on hover. */
export function Moment({ at }: { at: number }) {
  if (at <= 0) return <>–</>;
  const time = new Date(at);
  const isToday = time.toDateString() === new Date().toDateString();
  const clock = time.toLocaleTimeString(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
  const day = time.toLocaleDateString(undefined, { year: "numeric", month: "short", day: "numeric" });
  return (
    <time dateTime={time.toISOString()} title={`${time.toISOString()} (UTC)`}>
      {isToday ? clock : `${day}, ${clock}`}
    </time>
  );
}
