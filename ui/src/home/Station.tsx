import { Link } from "wouter";

interface Props {
  name: string;
  /** Where one sees what is counted. */
  to?: string;
  value: number;
  note: string;
  /** How much the value grew in the last seconds, oldest first. */
  recent?: number[];
  tone?: "plain" | "signal" | "bad";
}

/** One station of the loop: a number, what it means, and how it moves. */
export function Station({ name, to, value, note, recent, tone = "plain" }: Props) {
  return (
    <li className={`station ${tone}`}>
      <h2>{to === undefined ? name : <Link href={to}>{name}</Link>}</h2>
      <p className="number">{value.toLocaleString()}</p>
      <p className="muted">{note}</p>
      {recent !== undefined && <Spark values={recent} name={name} />}
    </li>
  );
}

const WIDTH = 120;
const HEIGHT = 24;

function Spark({ values, name }: { values: number[]; name: string }) {
  const top = Math.max(1, ...values);
  const step = WIDTH / Math.max(1, values.length - 1);
  const points = values.map((value, place) => `${place * step},${HEIGHT - 1 - (value / top) * (HEIGHT - 2)}`);
  const sum = values.reduce((all, value) => all + value, 0);
  return (
    <svg
      className="spark"
      viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
      preserveAspectRatio="none"
      role="img"
      aria-label={`${name}: ${sum.toLocaleString()} more in the last minute`}
    >
      <polyline points={points.join(" ")} fill="none" vectorEffect="non-scaling-stroke" />
    </svg>
  );
}
