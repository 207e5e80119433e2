//! The whole house: the real program, real sockets, a real folder.

mod bad_input;
mod files;
mod imports;
mod house;
mod life;
mod marks;
mod receiver;
mod consumer;
mod listener;
mod mail;
mod ledger;
mod sudden_ends;
