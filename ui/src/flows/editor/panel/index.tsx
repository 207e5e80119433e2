import "./panel.css";

export { FilterPanel } from "./FilterPanel";
export { ModulePanel } from "./ModulePanel";
export { ScheduleDialog } from "./ScheduleDialog";
