-- Owner: flows. File: flows.
-- Packages that flows lie in, what was published of them together, and
-- variables that flows share.

-- Key of the package; nothing for a flow that lies in none.
ALTER TABLE flows ADD COLUMN package TEXT;
ALTER TABLE flow_versions ADD COLUMN note TEXT;
-- The version whose text was published again.
ALTER TABLE flow_versions ADD COLUMN of_version BIGINT;

CREATE TABLE package_versions (
    package TEXT NOT NULL,
    number BIGINT NOT NULL,
    note TEXT,
    of_version BIGINT,
    published_at BIGINT NOT NULL,
    published_by TEXT NOT NULL,
    PRIMARY KEY (package, number)
);

-- What a version of a package is made of. Knowledge models keep their texts
-- elsewhere; here stands which of their versions it was.
CREATE TABLE package_parts (
    package TEXT NOT NULL,
    number BIGINT NOT NULL,
    kind TEXT NOT NULL,
    key TEXT NOT NULL,
    version BIGINT NOT NULL,
    PRIMARY KEY (package, number, kind, key)
);

-- Variables of the team and of the organization, an object each.
CREATE TABLE shared_variables (
    scope TEXT PRIMARY KEY,
    variables TEXT NOT NULL,
    updated_at BIGINT NOT NULL
);
