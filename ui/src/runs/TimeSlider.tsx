// Moves through the operations of a run: by hand, step by step, or playing.

import { useEffect, useState } from "react";
import { Pause, Play, SkipBack, SkipForward, StepBack, StepForward } from "lucide-react";

import { moved } from "./totals";

/** A run is played in about this time, however long it is. */
const PLAYED_IN_MS = 12_000;
const TICK_MS = 120;
const SLOWEST_MS = 700;

interface Props {
  count: number;
  position: number;
  onMove: (position: number) => void;
}

export function TimeSlider({ count, position, onMove }: Props) {
  const [playing, setPlaying] = useState(false);
  useEffect(() => {
    if (!playing) return;
    if (position >= count) {
      setPlaying(false);
      return;
    }
    const tick = Math.min(SLOWEST_MS, Math.max(TICK_MS, PLAYED_IN_MS / count));
    const by = Math.max(1, Math.round((count * TICK_MS) / PLAYED_IN_MS));
    const timer = setTimeout(() => onMove(moved(position, by, count)), tick);
    return () => clearTimeout(timer);
  }, [playing, position, count, onMove]);

  const play = () => {
    if (!playing && position >= count) onMove(0);
    setPlaying(!playing);
  };
  const step = (by: number) => {
    setPlaying(false);
    onMove(moved(position, by, count));
  };
  return (
    <div className="runs-slider" role="group" aria-label="Moment of the run">
      <button type="button" className="icon" aria-label="To the begin" disabled={position === 0} onClick={() => step(-count)}>
        <SkipBack aria-hidden="true" size={16} />
      </button>
      <button type="button" className="icon" aria-label="One operation back" disabled={position === 0} onClick={() => step(-1)}>
        <StepBack aria-hidden="true" size={16} />
      </button>
      <button type="button" className="icon" aria-label={playing ? "Pause" : "Play"} disabled={count === 0} onClick={play}>
        {playing ? <Pause aria-hidden="true" size={18} /> : <Play aria-hidden="true" size={18} />}
      </button>
      <button type="button" className="icon" aria-label="One operation on" disabled={position >= count} onClick={() => step(1)}>
        <StepForward aria-hidden="true" size={16} />
      </button>
      <button type="button" className="icon" aria-label="To the end" disabled={position >= count} onClick={() => step(count)}>
        <SkipForward aria-hidden="true" size={16} />
      </button>
      <input
        type="range"
        aria-label="Operation"
        aria-valuetext={`Operation ${position} of ${count}`}
        min={0}
        max={count}
        value={position}
        onChange={(event) => {
          setPlaying(false);
          onMove(Number(event.target.value));
        }}
      />
      <output>
        {position.toLocaleString()} of {count.toLocaleString()}
      </output>
    </div>
  );
}
