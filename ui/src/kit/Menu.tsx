import type { ReactNode } from "react";
import * as Radix from "@radix-ui/react-dropdown-menu";

export interface MenuItem {
  name: ReactNode;
  onSelect: () => void;
  disabled?: boolean;
  /** It takes something away. */
  grave?: boolean;
}

/** A button that opens a list of things to do. */
export function Menu({ label, trigger, items }: { label: string; trigger: ReactNode; items: MenuItem[] }) {
  return (
    <Radix.Root modal={false}>
      <Radix.Trigger className="menu-trigger" aria-label={label}>
        {trigger}
      </Radix.Trigger>
      <Radix.Portal container={document.getElementById("content")}>
        <Radix.Content className="menu" align="end" sideOffset={4} collisionPadding={8}>
          {items.map((item, place) => (
            <Radix.Item
              key={place}
              className={item.grave === true ? "menu-item grave" : "menu-item"}
              disabled={item.disabled === true}
              onSelect={item.onSelect}
            >
              {item.name}
            </Radix.Item>
          ))}
        </Radix.Content>
      </Radix.Portal>
    </Radix.Root>
  );
}
