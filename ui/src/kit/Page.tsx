import { useEffect, type ReactNode } from "react";
import { Link } from "wouter";

interface Props {
  title: string;
  /** The way here: what lies above this page. */
  above?: { name: string; to: string }[];
  /** Beside the title: chips and the like. */
  standing?: ReactNode;
  /** At the right: what can be done. */
  actions?: ReactNode;
  children: ReactNode;
}

/** A page: its way, its title, what can be done, and its content. */
export function Page({ title, above = [], standing, actions, children }: Props) {
  useEffect(() => {
    document.title = `${title} · Loopwright`;
  }, [title]);
  return (
    <section className="page" aria-labelledby="page-title">
      {above.length > 0 && (
        <nav className="way" aria-label="Where this page lies">
          {above.map(({ name, to }) => (
            <span key={to}>
              <Link href={to}>{name}</Link>
              <span aria-hidden="true"> / </span>
            </span>
          ))}
        </nav>
      )}
      <div className="title-row">
        <div className="title-with">
          <h1 id="page-title">{title}</h1>
          {standing}
        </div>
        {actions !== undefined && <div className="actions">{actions}</div>}
      </div>
      {children}
    </section>
  );
}
