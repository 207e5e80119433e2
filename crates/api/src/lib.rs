//! The only place that speaks HTTP inward: routes, wire types, problem details, OpenAPI, UI files.
