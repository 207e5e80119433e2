//! Access as its callers meet it, on every engine.

use std::time::Duration;

use base::chance::SeededChance;
use base::time::SimClock;
use base::{Coded, Kind, testing};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use expect_test::expect;

use super::*;

/// An access with a clock that the test moves, and its administrator.
struct House {
    access: Access,
    clock: Arc<SimClock>,
    administrator: Actor,
}

const ADMINISTRATOR: &str = "admin:s3cret";

fn check<F: Future<Output = ()>>(check: impl Fn(House) -> F) {
    testing::on_every_engine(&[base::MIGRATIONS, crate::MIGRATIONS], |db| {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(async {
            let clock = Arc::new(SimClock::default());
            let access = Access::new(db, clock.clone(), Arc::new(SeededChance::new(1)));
            access.bootstrap_app_key(ADMINISTRATOR).await.expect("a first key");
            let administrator = access.authenticate(Some(&header("AppKey", ADMINISTRATOR))).await.expect("its actor");
            check(House { access, clock, administrator }).await;
        });
    });
}

fn header(scheme: &str, credential: &str) -> String {
    format!("{scheme} {}", STANDARD.encode(credential))
}

impl House {
    /// Makes an app key without rights, and signs in with it.
    async fn program(&self, name: &str) -> Actor {
        let new = self.access.create_app_key(&self.administrator, name, false).await.expect("a new key");
        let header = format!("appkey {}", new.credential.encoded().expose());
        self.access.authenticate(Some(&header)).await.expect("the new key is accepted")
    }

    /// Shows the audit trail, oldest first.
    async fn trail(&self) -> String {
        let rows = self.access.audit(&self.administrator, None, 100).await.expect("the trail");
        let lines = rows.iter().rev().map(|row| {
            let after = row.after.as_ref().map(Json::to_string).unwrap_or_default();
            format!("{} {} {} {after}", row.actor_name, row.verb, row.object_kind).trim_end().to_owned()
        });
        lines.collect::<Vec<_>>().join("\n")
    }
}

fn code_of<T>(result: Result<T, Error>) -> &'static str {
    result.err().map_or("no error", |error| error.code())
}

fn pool(id: &str) -> Scope {
    Scope::Pool(id.into())
}

#[test]
fn a_key_signs_in_with_either_scheme_in_any_case() {
    check(async |house| {
        for scheme in ["AppKey", "appkey", "APPKEY", "Bearer", "bearer"] {
            let actor = house.access.authenticate(Some(&header(scheme, ADMINISTRATOR))).await.expect("an actor");
            assert_eq!((actor.id.as_str(), actor.administrator), ("admin", true), "{scheme}");
        }
        let unpadded = format!("AppKey  {} ", STANDARD_NO_PAD.encode(ADMINISTRATOR));
        assert!(house.access.authenticate(Some(&unpadded)).await.is_ok());
    });
}

#[test]
fn each_way_to_be_refused_has_its_own_code() {
    check(async |house| {
        let refused = async |authorization: Option<&str>, expected: &str| {
            let error = house.access.authenticate(authorization).await.expect_err("it is refused");
            assert_eq!(error.kind(), Kind::Unauthenticated);
            assert_eq!(format!("{}: {error}", error.code()), expected);
        };
        refused(None, "credentials-missing: the request has no authorization header").await;
        let scheme = "credentials-scheme: the authorization header is malformed: its scheme must be Bearer or AppKey";
        for malformed in ["", "AppKey", "Basic YTpi", "YTpi"] {
            refused(Some(malformed), scheme).await;
        }
        let malformed = "credentials-malformed: the authorization header is malformed: after Bearer or AppKey there must be base64 of id:secret";
        for text in ["Bearer !!!", "AppKey AA==", &header("AppKey", "no colon"), &header("AppKey", "a b:c")] {
            refused(Some(text), malformed).await;
        }
        let unknown = header("AppKey", "nobody:s3cret");
        refused(Some(&unknown), "app-key-unknown: the app key is unknown or revoked").await;
        let wrong = header("AppKey", "admin:guess");
        refused(Some(&wrong), "app-key-wrong-secret: the app key's secret is wrong").await;
    });
}

#[test]
fn the_bootstrap_key_is_made_once_and_may_change_its_secret() {
    check(async |House { access, administrator, .. }| {
        assert_eq!(access.bootstrap_app_key(ADMINISTRATOR).await.expect("again"), Bootstrap::Unchanged);
        let replaced = access.bootstrap_app_key("admin:other").await.expect("another secret");
        assert_eq!(replaced, Bootstrap::SecretReplaced);
        let old = access.authenticate(Some(&header("AppKey", ADMINISTRATOR))).await;
        assert_eq!(code_of(old), "app-key-wrong-secret");
        assert!(access.authenticate(Some(&header("AppKey", "admin:other"))).await.is_ok());
        access.revoke_app_key(&administrator, "admin").await.expect("revoked");
        assert_eq!(access.bootstrap_app_key("admin:other").await.expect("seen"), Bootstrap::StaysRevoked);
        for text in ["", "admin", "admin:", ":secret", "a b:c"] {
            assert_eq!(code_of(access.bootstrap_app_key(text).await), "app-key-invalid", "{text}");
        }
    });
}

#[test]
fn a_revoked_key_is_refused_though_it_was_remembered() {
    check(async |house| {
        let new = house.access.create_app_key(&house.administrator, " push ", false).await.expect("a new key");
        assert_eq!((new.app_key.name.as_str(), new.app_key.administrator), ("push", false));
        let header = format!("AppKey {}", new.credential.encoded().expose());
        assert!(house.access.authenticate(Some(&header)).await.is_ok());
        let now = house.clock.advance(Duration::from_secs(1));
        for _ in 0..2 {
            house.access.revoke_app_key(&house.administrator, &new.app_key.id).await.expect("revoked");
        }
        assert_eq!(code_of(house.access.authenticate(Some(&header)).await), "app-key-unknown");
        let listed = house.access.app_keys(&house.administrator).await.expect("a list");
        let revoked = listed.iter().filter(|key| key.revoked_at == Some(now));
        assert_eq!(revoked.map(|key| key.name.as_str()).collect::<Vec<_>>(), ["push"]);
        let unknown = house.access.revoke_app_key(&house.administrator, "nobody").await;
        assert_eq!(code_of(unknown), "app-key-not-found");
        expect![[r#"
            Loopwright (bootstrap) create app-key {"name":"bootstrap (admin)","administrator":true,"revokedAt":null}
            bootstrap (admin) create app-key {"name":"push","administrator":false,"revokedAt":null}
            bootstrap (admin) revoke app-key {"name":"push","administrator":false,"revokedAt":"2026-01-01T00:00:01.000Z"}"#]]
        .assert_eq(&house.trail().await);
    });
}

#[test]
fn keys_belong_to_administrators() {
    check(async |house| {
        let program = house.program("push").await;
        assert_eq!(code_of(house.access.create_app_key(&program, "x", true).await), "administrator-required");
        assert_eq!(code_of(house.access.app_keys(&program).await), "administrator-required");
        assert_eq!(code_of(house.access.revoke_app_key(&program, "admin").await), "administrator-required");
        assert_eq!(code_of(house.access.create_app_key(&house.administrator, " ", false).await), "name-invalid");
    });
}

#[test]
fn a_permission_counts_from_its_grant_to_its_revocation() {
    check(async |house| {
        let program = house.program("push").await;
        let may = async || house.access.require(&program, Permission::DataPush, &pool("p-1")).await;
        let error = may().await.expect_err("nothing is granted yet");
        assert_eq!(error.kind(), Kind::Denied);
        assert_eq!(error.to_string(), r#""push" lacks the permission "data-push" on pool "p-1""#);
        for _ in 0..2 {
            let scope = pool("p-1");
            let grant = house.access.grant(&house.administrator, &program.id, Permission::DataPush, &scope);
            grant.await.expect("granted");
        }
        assert!(may().await.is_ok());
        assert_eq!(house.access.grants_on(&house.administrator, &pool("p-1")).await.expect("a list").len(), 1);
        assert_eq!(house.access.grants_of(&program, &program.id).await.expect("one's own").len(), 1);
        let reach = house.access.reach(&program, Permission::DataPush).await.expect("a reach");
        assert_eq!(reach, Reach::Only(vec![pool("p-1")]));
        let revoke =
            async || house.access.revoke(&house.administrator, &program.id, Permission::DataPush, &pool("p-1")).await;
        assert!(revoke().await.expect("revoked"));
        assert!(!revoke().await.expect("nothing is left"));
        assert_eq!(code_of(may().await), "permission-denied");
        assert_eq!(house.trail().await.lines().count(), 4, "two keys, one grant, one revocation");
    });
}

#[test]
fn an_administrator_may_everything_and_a_holder_grants_on_what_he_holds() {
    check(async |house| {
        house.access.require(&house.administrator, Permission::ReadAudit, &Scope::Team).await.expect("everything");
        let (holder, friend) = (house.program("holder").await, house.program("friend").await);
        house.access.entrust(&holder, &pool("p-1")).await.expect("the maker of a pool holds it");
        house.access.grant(&holder, &friend.id, Permission::UsePool, &pool("p-1")).await.expect("granted");
        house.access.require(&friend, Permission::UsePool, &pool("p-1")).await.expect("a friend may use it");
        let elsewhere = house.access.grant(&holder, &friend.id, Permission::UsePool, &pool("p-2")).await;
        assert_eq!(code_of(elsewhere), "permission-denied");
        let everywhere = house.access.grant(&holder, &friend.id, Permission::UsePool, &Scope::Team).await;
        assert_eq!(code_of(everywhere), "administrator-required");
        let nonsense = house.access.grant(&holder, &friend.id, Permission::EditPackage, &pool("p-1")).await;
        assert_eq!(code_of(nonsense), "permission-scope");
        let nobody = house.access.grant(&holder, "nobody", Permission::UsePool, &pool("p-1")).await;
        assert_eq!(code_of(nobody), "app-key-not-found");
        assert_eq!(code_of(house.access.audit(&friend, None, 10).await), "permission-denied");
        assert_eq!(code_of(house.access.grants_of(&friend, &holder.id).await), "administrator-required");
    });
}

#[test]
fn packages_are_seen_by_those_who_may() {
    check(async |house| {
        let program = house.program("studio").await;
        assert_eq!(code_of(house.access.put_package(&program, "p2p", "Purchase").await), "permission-denied");
        house
            .access
            .grant(&house.administrator, &program.id, Permission::CreatePackage, &Scope::Team)
            .await
            .expect("granted");
        house.access.put_package(&house.administrator, "o2c", "Orders").await.expect("made");
        house.access.put_package(&program, "p2p", "Purchase").await.expect("made");
        let renamed = house.access.put_package(&program, "p2p", "Purchase to pay").await.expect("its maker edits it");
        assert_eq!(renamed.name, "Purchase to pay");
        let foreign = house.access.put_package(&program, "o2c", "Mine now").await;
        assert_eq!(code_of(foreign), "permission-denied", "to create is not to rename");
        let seen = house.access.packages(&program).await.expect("a list");
        assert_eq!(seen, std::slice::from_ref(&renamed));
        assert_eq!(house.access.package(&program, "p2p").await.expect("it is there"), renamed);
        assert_eq!(code_of(house.access.package(&program, "o2c").await), "permission-denied");
        assert_eq!(code_of(house.access.package(&house.administrator, "gone").await), "package-not-found");
        assert_eq!(house.access.packages(&house.administrator).await.expect("a list").len(), 2);
        for key in ["", "a.b", "a b", "ä"] {
            let bad = house.access.put_package(&house.administrator, key, "x").await;
            assert_eq!(code_of(bad), "package-key-invalid", "{key}");
        }
    });
}

#[test]
fn there_is_one_team_and_it_stays_the_same() {
    check(async |house| {
        let team = house.access.team().await.expect("a team");
        assert_eq!(house.access.team().await.expect("a team"), team);
    });
}

#[test]
fn the_trail_is_whole() {
    check(async |house| {
        house.program("a").await;
        let chain = house.access.verify_audit(&house.administrator).await.expect("a walk");
        assert!(matches!(chain, audit::Chain::Whole { rows: 2, .. }));
    });
}
