import { useEffect, useState } from "react";
import { Moon, Sun } from "lucide-react";

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
    <button type="button" className="quiet theme-switch" onClick={choose} aria-label={`Switch to ${other} colours`} title={`Switch to ${other} colours`}>
      {theme === "dark" ? <Sun aria-hidden="true" size={16} /> : <Moon aria-hidden="true" size={16} />}
    </button>
  );
}

function initial(): Theme {
  const chosen = localStorage.getItem(PLACE);
  if (chosen === "light" || chosen === "dark") return chosen;
  return matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
}
