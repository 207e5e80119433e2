// How a subscription stands, and what each action does to it, in words.

import type { Tone } from "../kit/Chip";

export const TONES: Record<string, Tone> = { active: "good", failed: "bad", paused: "warn", suspended: "bad", rejected: "bad" };

export function stateInWords(status: string): string {
  return status.charAt(0).toUpperCase() + status.slice(1).toLowerCase();
}

/** Says how many events wait between the last one delivered and the newest. */
export function lagInWords(queued: number): string {
  if (queued === 0) return "up to date";
  return `${queued.toLocaleString("en")} event${queued === 1 ? " waits" : "s wait"}`;
}

/** Says what the state means for the events. */
export function meaningOf(status: string): string {
  switch (status.toLowerCase()) {
    case "active":
      return "Events are delivered as they come.";
    case "failed":
      return "The receiver did not take an event. The oldest is tried now and then; after eight hours the subscription is suspended.";
    case "paused":
      return "Nothing is sent. Events wait until it is resumed.";
    case "suspended":
      return "Nothing is tried any more, and what waited is lost unless it was set to be kept. Update the callback to set it going.";
    case "rejected":
      return "The receiver said that an event is wrong. Update, replay or skip it.";
    default:
      return "";
  }
}

export type Action = "pause" | "resume" | "latest" | "replay" | "skip" | "rotate" | "update" | "delete";

/** What an action is called, and what follows from it. */
export const ACTIONS: Record<Action, { name: string; follows: string; grave?: boolean }> = {
  pause: { name: "Pause", follows: "Nothing is sent any more. Events wait, and none is lost." },
  resume: { name: "Resume", follows: "It goes on where it was paused: all that waited is delivered, in order." },
  latest: { name: "Resume from latest", follows: "It goes on with fresh events only. What waited is passed over and not delivered.", grave: true },
  replay: { name: "Replay", follows: "Events are delivered again from this offset on. The receiver sees the same ids a second time." },
  skip: { name: "Skip one event", follows: "The event that is in the way is passed over and lost; the next one is sent.", grave: true },
  rotate: { name: "New signing secret", follows: "A new secret is shown once. The old one signs too for a while, so that no call fails." },
  update: { name: "Update the callback", follows: "The definition is replaced, and the subscription is active again from any state." },
  delete: { name: "Delete", follows: "The subscription ends, and its queue with it. The trigger's events stay in its log.", grave: true },
};

/** Tells which actions a state allows. */
export function allowed(status: string): Action[] {
  const always: Action[] = ["rotate", "update", "delete"];
  switch (status.toLowerCase()) {
    case "active":
      return ["pause", "replay", ...always];
    case "paused":
      return ["resume", "latest", "replay", ...always];
    case "failed":
    case "rejected":
      return ["replay", "skip", ...always];
    case "suspended":
      return ["update", "rotate", "delete"];
    default:
      return always;
  }
}
