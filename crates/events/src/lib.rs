//! The event subscription engine: trigger logs, subscriptions, offsets, signed delivery.
