import type { ReactNode } from "react";
import * as Radix from "@radix-ui/react-tabs";

interface Props {
  label: string;
  tabs: { id: string; name: ReactNode; content: ReactNode }[];
  /** The open one; keep it in the address. */
  open: string;
  onOpen: (id: string) => void;
}

/** Pages beside each other, of which one is seen. */
export function Tabs({ label, tabs, open, onOpen }: Props) {
  return (
    <Radix.Root value={open} onValueChange={onOpen} className="tabs">
      <Radix.List className="tab-list" aria-label={label}>
        {tabs.map(({ id, name }) => (
          <Radix.Trigger key={id} value={id} className="tab">
            {name}
          </Radix.Trigger>
        ))}
      </Radix.List>
      {tabs.map(({ id, content }) => (
        <Radix.Content key={id} value={id} className="tab-content">
          {content}
        </Radix.Content>
      ))}
    </Radix.Root>
  );
}
