//! The program.
mod config;
mod egress;
mod network;

fn main() {}
