//! Due work with leases and back-off.
