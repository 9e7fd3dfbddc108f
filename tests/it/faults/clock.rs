//! The clock of the machine jumps, as after a pause of a virtual machine or by somebody's hand: only what is about the time
//! of day notices.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use serde_json::json;
use tempfile::TempDir;

use crate::{
    auth::Enrolled,
    gateway::upstream,
    support::{AppBuilder, KeptUpstream, Manner, RawUpstream, TestApp, eventually},
};

/// The time of day of the processes that were started with it, moved by `libfaketime`; durations stay true.
struct Shifted {
    directory: TempDir,
}

impl Shifted {
    fn new() -> Self {
        let shifted = Self { directory: TempDir::new().expect("a directory") };
        shifted.by("+0");
        shifted
    }

    fn file(&self) -> PathBuf {
        self.directory.path().join("offset")
    }

    /// Moves the clock to so much before or after the real time.
    fn by(&self, offset: &str) {
        let new = self.directory.path().join("new");
        std::fs::write(&new, format!("{offset}\n")).expect("the file can be written");
        std::fs::rename(new, self.file()).expect("the file can be replaced");
    }

    fn of(&self, app: AppBuilder) -> AppBuilder {
        app.environment("LD_PRELOAD", library().to_str().expect("a plain path"))
            .environment("FAKETIME_TIMESTAMP_FILE", self.file().to_str().expect("a plain path"))
            .environment("FAKETIME_NO_CACHE", "1")
            .environment("FAKETIME_DONT_FAKE_MONOTONIC", "1")
            .environment("FAKETIME_DONT_RESET", "1")
    }
}

fn library() -> PathBuf {
    let below = Path::new("/usr/lib");
    let places = std::fs::read_dir(below).expect("libraries").flatten().map(|entry| entry.path()).chain([below.into()]);
    let mut files = places.map(|place| place.join("faketime/libfaketimeMT.so.1"));
    files.find(|file| file.exists()).expect("libfaketime is installed; run the tests with ./scripts/test")
}

#[tokio::test]
async fn timers_limits_and_breakers_do_not_notice() {
    let slow = KeptUpstream::start(Duration::from_secs(1));
    let failing = RawUpstream::start(Manner::HangUp).await;
    let settings = upstream(&format!("http://{}", slow.address), "", "timeout = \"5s\"")
        + &format!(
            "[[gateway.upstreams]]\nname = \"f\"\ntargets = [{{ url = \"{}\" }}]\n\
             breaker = {{ failures = 2, window = \"30s\", open_for = \"1500ms\" }}\n\
             [[gateway.routes]]\nname = \"f\"\npath = \"/f\"\nupstream = \"f\"\n\
             [[gateway.routes]]\nname = \"limited\"\npath = \"/limited\"\nupstream = \"u\"\n\
             rate_limit = {{ limit = \"1/second\", per = \"route\" }}\n",
            failing.url()
        );
    let clock = Shifted::new();
    let app = clock.of(TestApp::simple().settings(&settings)).start().await;
    for offset in ["+2h", "-2h"] {
        // In flight while it jumps.
        let waiting = tokio::spawn(app.get("/u/a").send());
        tokio::time::sleep(Duration::from_millis(300)).await;
        app.get("/limited").send().await.must_be(200);
        while app.get("/f").send().await.status == 502 {}
        clock.by(offset);
        waiting.await.expect("it is waited for").must_be(200);
        let open = app.get("/f").send().await;
        assert!(open.status == 502 || open.header("retry-after") <= Some("2"), "{offset}: {open:?}");
        let tried =
            eventually(Duration::from_secs(4), async || (app.get("/f").send().await.status == 502).then_some(()));
        assert!(tried.await.is_some(), "{offset}: the breaker lets a trial through after its own time");
        let room =
            eventually(Duration::from_secs(4), async || (app.get("/limited").send().await.status == 200).then_some(()));
        assert!(room.await.is_some(), "{offset}: the window has moved on");
        tokio::time::sleep(Duration::from_millis(1200)).await;
    }
}

#[tokio::test]
async fn no_code_works_twice_and_tokens_go_by_the_time_of_day() {
    let settings = "[gateway]\nrate_limit = false\n[auth]\nrequire_verified_email = false\n\
                    [auth.password]\nargon2 = { memory = \"1MiB\", iterations = 1, parallelism = 1 }";
    let clock = Shifted::new();
    let app = clock.of(TestApp::simple().settings(settings)).start().await;
    let ada = Enrolled::new(&app, "ada@example.org").await;
    let code = ada.next_code();
    let session: crate::support::Session = ada.log_in(&app, Some(&code)).await.must_be(200).parse();
    ada.log_in(&app, Some(&code)).await.problem(401, "invalid-code");

    clock.by("-60");
    ada.log_in(&app, Some(&code)).await.problem(401, "invalid-code");
    app.get("/auth/me").bearer(&session.access_token).send().await.must_be(200);

    clock.by("+2h");
    ada.log_in(&app, Some(&code)).await.problem(401, "invalid-code");
    app.get("/auth/me").bearer(&session.access_token).send().await.problem(401, "unauthenticated");
    // What is known of revocations did not grow old by the jump, so that new tokens are taken.
    let later: crate::support::Session = ada.log_in(&app, Some(&ada.recovery_codes[0])).await.must_be(200).parse();
    app.get("/auth/me").bearer(&later.access_token).send().await.must_be(200);

    clock.by("+0");
    ada.log_in(&app, Some(&code)).await.problem(401, "invalid-code");
    ada.log_in(&app, Some(&ada.recovery_codes[0])).await.problem(401, "invalid-code");
    let refreshed = app.post("/auth/refresh").json(&json!({"refresh_token": session.refresh_token})).send().await;
    let session: crate::support::Session = refreshed.must_be(200).parse();
    app.get("/auth/me").bearer(&session.access_token).send().await.must_be(200);
}
