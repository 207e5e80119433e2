/** An answer that is not 2xx, in the server's own words, which are for people. */
export class ApiError extends Error {
  constructor(
    /** 0 where nobody answered. */
    readonly status: number,
    message: string,
    readonly code: string | null,
    /** All that the server said, for callers that know this refusal. */
    readonly problem: Record<string, unknown> = {},
  ) {
    super(message);
  }
}
