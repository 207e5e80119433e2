/** Says what went wrong, in the server's words. */
export function Failure({ of }: { of: Error | null }) {
  if (of === null) return null;
  return (
    <p className="problem" role="alert">
      {of.message}
    </p>
  );
}
