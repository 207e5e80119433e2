//! Action flows: definitions, mapping language, modules, connections, the durable engine.
