/** A point in time in the reader's zone, with UTC on hover. */
export function When({ at }: { at: string }) {
  const time = new Date(at);
  return (
    <time dateTime={at} title={`${time.toISOString()} (UTC)`}>
      {time.toLocaleTimeString(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit" })}
    </time>
  );
}
