//! The program: command line, configuration, wiring, workers, egress, telemetry, shutdown.
