// Which module is run alone just now; one at a time.

import { create } from "zustand";

export const useRunning = create<{ module: number | null }>(() => ({ module: null }));
