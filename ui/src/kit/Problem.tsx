import { ApiError } from "../api/client";

/** Says what went wrong, and offers to try again where that can help. */
export function Problem({ error, onRetry }: { error: unknown; onRetry?: () => void }) {
  const words = error instanceof Error ? error.message : String(error);
  const code = error instanceof ApiError ? error.code : null;
  return (
    <div className="problem" role="alert" data-code={code ?? undefined}>
      <p>{words}</p>
      {onRetry !== undefined && (
        <button type="button" onClick={onRetry}>
          Try again
        </button>
      )}
    </div>
  );
}
