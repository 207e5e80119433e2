// Components whose code comes when it is first wanted. React's own `lazy` shows
// a placeholder and then keeps what follows back for 300 ms, so that
// placeholders do not flicker; here the code is most often there already, or
// comes in a few milliseconds, and nobody is to wait for a quarter of a second.

import { useEffect, useState, type ComponentType, type ReactNode } from "react";

import { Problem } from "./Problem";

export interface Later<Props extends object> {
  (props: Props & { waiting?: ReactNode }): ReactNode;
  /** Brings the code, so that it is there when it is wanted. */
  load: () => Promise<void>;
}

/** Makes a component of code that is loaded once; `waiting` is shown until then. */
export function later<Props extends object>(code: () => Promise<{ default: ComponentType<Props> }>): Later<Props> {
  let Known: ComponentType<Props> | null = null;
  let coming: Promise<void> | null = null;
  const load = () =>
    (coming ??= code().then(
      (module) => {
        Known = module.default;
      },
      (error: unknown) => {
        // Asked for again, it is tried again.
        coming = null;
        throw error;
      },
    ));

  function Shown({ waiting = null, ...props }: Props & { waiting?: ReactNode }) {
    const [, shown] = useState(Known !== null);
    const [failed, setFailed] = useState(false);
    const missing = Known === null && !failed;
    useEffect(() => {
      if (!missing) return;
      let gone = false;
      load().then(
        () => gone || shown(true),
        () => gone || setFailed(true),
      );
      return () => {
        gone = true;
      };
    }, [missing]);
    if (Known !== null) return <Known {...(props as unknown as Props)} />;
    if (failed) return <Problem error="This part of the page could not be loaded. The program may have been restarted as another version; load the page anew." onRetry={() => location.reload()} />;
    return waiting;
  }
  return Object.assign(Shown, { load });
}
