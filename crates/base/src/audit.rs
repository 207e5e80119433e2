//! The row that says who changed what.
