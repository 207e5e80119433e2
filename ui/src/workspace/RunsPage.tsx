import { Runs } from "./Runs";

/** The latest runs of all jobs. */
export function RunsPage() {
  return (
    <section aria-labelledby="title">
      <div className="title-row">
        <h1 id="title">Job runs</h1>
      </div>
      <Runs job={null} />
    </section>
  );
}
