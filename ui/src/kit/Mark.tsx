/** The mark: a loop that has just been closed. */
export function Mark() {
  return (
    <svg className="mark" viewBox="0 0 32 32" fill="none" aria-hidden="true">
      <circle
        cx="16"
        cy="16"
        r="11"
        stroke="var(--accent)"
        strokeWidth="4"
        strokeDasharray="52 18"
        strokeLinecap="round"
        transform="rotate(-60 16 16)"
      />
      <circle cx="16" cy="5" r="3.5" fill="var(--signal)" />
    </svg>
  );
}
