import { useEffect, useState } from "react";

type Theme = "light" | "dark";
const PLACE = "loopwright.theme";

/** Switches between light and dark; without a choice the system's is taken. */
export function ThemeSwitch() {
  const [theme, setTheme] = useState<Theme>(initial);

  useEffect(() => {
    document.documentElement.dataset["theme"] = theme;
  }, [theme]);

  const other: Theme = theme === "dark" ? "light" : "dark";
  const choose = () => {
    localStorage.setItem(PLACE, other);
    setTheme(other);
  };

  return (
    <button type="button" className="quiet" onClick={choose} aria-label={`Switch to ${other} colours`}>
      {theme === "dark" ? "Light" : "Dark"}
    </button>
  );
}

function initial(): Theme {
  const chosen = localStorage.getItem(PLACE);
  if (chosen === "light" || chosen === "dark") return chosen;
  return matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
}
