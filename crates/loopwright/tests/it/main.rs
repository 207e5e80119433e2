//! The whole house: the real program, real sockets, a real folder.

mod bad_input;
mod house;
mod life;
