import { useQuery } from "@tanstack/react-query";

import { Dialog } from "../kit/Dialog";
import { Read } from "../kit/Read";
import { useAct } from "../kit/useAct";
import { access, type AppKey } from "./api";
import { TEAM_RIGHTS } from "./permissions";

/** What a key may do beyond single pools: ticks that count at once. */
export function TeamRightsDialog({ appKey, onClose }: { appKey: AppKey; onClose: () => void }) {
  const grants = useQuery({ queryKey: ["app-keys", appKey.id, "grants"], queryFn: () => access.grantsOf(appKey.id) });
  const { act, busy } = useAct("app-keys");
  const change = (right: string, name: string, give: boolean) => {
    const words = give ? `"${appKey.name}" may now: ${name}` : `"${appKey.name}" may no longer: ${name}`;
    void act(() => (give ? access.give : access.take)(appKey.id, right), words);
  };
  return (
    <Dialog
      title={`Rights of ${appKey.name}`}
      onClose={onClose}
      actions={
        <button type="button" className="primary" onClick={onClose}>
          Done
        </button>
      }
    >
      <p>They count for everything of the kind. Rights on one pool are given on its Permissions tab.</p>
      <Read query={grants}>
        {(all) => (
          <div className="pools-rights">
            {TEAM_RIGHTS.map(({ id, name, meaning }) => {
              const held = all.some(({ permission, pool, package: inPackage }) => permission === id && pool === null && inPackage === null);
              return (
                <label key={id}>
                  <input type="checkbox" checked={held} disabled={busy} onChange={() => change(id, name, !held)} />
                  <span>
                    {name} <small className="muted">{meaning}</small>
                  </span>
                </label>
              );
            })}
          </div>
        )}
      </Read>
    </Dialog>
  );
}
