//! Flow control.

pub mod router;
pub mod if_else;
pub mod merge;
pub mod iterator;
pub mod repeater;
pub mod aggregator;
pub mod ignore;
pub mod resume;
pub mod commit;
pub mod rollback;
pub mod put_off;
