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
mod killed_pushes;
mod killed_flows;
mod sources;
mod data_jobs;
mod workspace;

/// Mixes a number into one that looks like chance, the same each time.
fn mixed(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
