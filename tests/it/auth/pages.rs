//! The hosted pages, used as people use them: in a browser, with a mouse or a keyboard.

use serde_json::json;

use crate::support::{Browser, TestApp, User, command, eventually};

const TAB: &str = "\u{e004}";
const ENTER: &str = "\u{e007}";

/// The path and query of the link in the newest mail to an address that leads to a page.
async fn link(app: &TestApp, email: &str, page: &str) -> String {
    let found = eventually(std::time::Duration::from_secs(10), async || {
        let mails = app.mailbox.mails_to(email);
        let mail = mails.iter().rev().find(|mail| mail.contains(page))?;
        mail.split_whitespace().find(|word| word.contains(page)).map(str::to_owned)
    });
    found.await.expect("a mail with a link")
}

#[tokio::test]
async fn an_address_is_verified_by_a_click() {
    let app = TestApp::simple().start().await;
    let ada = app.register("ada@example.org").await;
    let link = link(&app, &ada.email, "/auth/verify-email?token=").await;
    let browser = Browser::start().await;
    browser.open(&link).await;
    browser.shows("Verify your e-mail address").await;
    browser.look("verify").await;
    browser.click("Verify").await;
    browser.shows("Address verified").await;
    assert!(!browser.url().await.contains("token"), "the token is gone from the address bar");
    browser.look("verified").await;
    app.login(&ada).await;

    browser.open(&link).await;
    browser.shows("This link does not work").await;
    browser.look("dead-link").await;
    browser.click("Type a code or ask for a new mail").await;
    browser.shows("Verify your e-mail address").await;
}

#[tokio::test]
async fn an_address_is_verified_by_a_typed_code_and_the_keyboard_alone() {
    let app = TestApp::simple().start().await;
    let ada = app.register("ada@example.org").await;
    let mail = app.mailbox.newest_to(&ada.email).await;
    let code = mail.split_once("type this code: ").unwrap().1.split_whitespace().next().unwrap().to_lowercase();
    let browser = Browser::start().await;
    browser.open(&format!("{}/auth/verify-email", app.url)).await;
    browser.look("verify-code").await;
    assert_eq!(browser.focused().await, "email");
    browser.press(&format!("{}{TAB}AAAA-AAAA{ENTER}", ada.email)).await;
    browser.shows("Error: Verify your e-mail address").await;
    browser.look("verify-code-wrong").await;
    assert_eq!(browser.focused().await, "code", "the address is still there");
    browser.press(&code).await;
    browser.press(TAB).await;
    assert_eq!(browser.focused().await, "Verify");
    browser.press(TAB).await;
    assert_eq!(browser.focused().await, "Send a new mail");
    browser.press("\u{e008}\u{e004}").await;
    browser.evaluate("document.querySelector('[name=code]').focus()").await;
    browser.press(ENTER).await;
    browser.shows("Address verified").await;
    app.login(&ada).await;
}

#[tokio::test]
async fn a_new_mail_is_asked_for_without_a_code() {
    let app = TestApp::simple().start().await;
    let browser = Browser::start().await;
    browser.open(&format!("{}/auth/verify-email", app.url)).await;
    browser.fill("E-mail address", "nobody").await;
    browser.click("Send a new mail").await;
    browser.shows("Error: Verify your e-mail address").await;
    browser.fill("E-mail address", "nobody@example.org").await;
    browser.click("Send a new mail").await;
    browser.shows("Look into your mail").await;
}

#[tokio::test]
async fn a_forgotten_password_is_replaced() {
    let app = TestApp::simple().start().await;
    let ada = app.register("ada@example.org").await;
    app.verify(&ada).await;
    let browser = Browser::start().await;
    browser.open(&format!("{}/auth/password/reset", app.url)).await;
    browser.shows("Choose a new password").await;
    browser.look("reset-by-code").await;
    browser.click("Ask for a new mail").await;
    browser.look("forgot").await;
    browser.press(&format!("{}{ENTER}", ada.email)).await;
    browser.shows("Look into your mail").await;
    browser.look("look-into-your-mail").await;

    browser.open(&link(&app, &ada.email, "/auth/password/reset?token=").await).await;
    browser.shows("Choose a new password").await;
    assert_eq!(browser.focused().await, "new_password");
    browser.look("reset").await;
    browser.fill("New password", "short").await;
    browser.click("Set password").await;
    browser.shows("Error: Choose a new password").await;
    assert!(browser.text().await.contains("at least 8 characters"), "{}", browser.text().await);
    assert!(!browser.evaluate("return document.documentElement.outerHTML").await.to_string().contains("short"));
    browser.look("reset-refused").await;
    browser.fill("New password", "a better horse").await;
    browser.click("Set password").await;
    browser.shows("Password set").await;
    browser.look("reset-done").await;
    app.login(&User { password: "a better horse".to_owned(), ..ada }).await;
}

#[tokio::test]
async fn forms_in_two_tabs_work_and_a_lost_cookie_is_explained() {
    let app = TestApp::simple().start().await;
    let (first, second) = ("/auth/password/forgot", "/auth/verify-email");
    let browser = Browser::start().await;
    browser.open(&format!("{}{first}", app.url)).await;
    // The second page is shown before the first one's form is sent.
    app.get(second).send().await.must_be(200);
    browser.evaluate("window.open('/auth/verify-email')").await;
    browser.fill("E-mail address", "ada@example.org").await;
    browser.click("Mail me a link").await;
    browser.shows("Look into your mail").await;

    browser.open(&format!("{}{first}", app.url)).await;
    browser.forget_cookies().await;
    browser.fill("E-mail address", "ada@example.org").await;
    browser.click("Mail me a link").await;
    browser.shows("This form cannot be used").await;
    browser.look("forged").await;
}

#[tokio::test]
async fn an_operator_sets_name_colours_and_templates() {
    let folder = tempfile::tempdir().unwrap();
    let text =
        "{% extends \"layout.html\" %}{% block title %}Fine{% endblock %}{% block body %}<h1>Fine</h1>{% endblock %}";
    std::fs::write(folder.path().join("forgot_password.html"), text).unwrap();
    let settings = format!(
        "[auth.pages]\nproduct_name = \"Acme <1>\"\naccent = \"#7a1f5c\"\nlogo_url = \"data:image/gif;base64,R0lGODlhAQABAAAAACw=\"\n\
         templates = {:?}",
        folder.path()
    );
    let app = TestApp::simple().settings(&settings).start().await;
    let browser = Browser::start().await;
    browser.open(&format!("{}/auth/password/forgot", app.url)).await;
    browser.shows("Fine").await;
    assert!(browser.text().await.contains("Acme <1>"));
    browser.open(&format!("{}/auth/verify-email", app.url)).await;
    browser.look("operator").await;
    let colour = browser.evaluate("return getComputedStyle(document.querySelector('button')).backgroundColor").await;
    assert!([json!("rgb(122, 31, 92)"), json!("rgb(124, 199, 217)")].contains(&colour), "{colour}");
}

#[test]
fn a_template_that_is_broken_is_found_by_the_check_and_at_start() {
    let folder = tempfile::tempdir().unwrap();
    let configuration = folder.path().join("nested");
    std::fs::create_dir_all(configuration.join("looks")).unwrap();
    // The folder is found beside the file that names it.
    std::fs::write(configuration.join("my.toml"), "[auth.pages]\ntemplates = \"looks\"\n").unwrap();
    let file = configuration.join("my.toml").display().to_string();
    let check = |arguments: &[&str]| {
        let output = command(folder.path()).args(arguments).args(["--config", &file]).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    assert_eq!(check(&["config", "check"]).0, Some(0));
    std::fs::write(configuration.join("looks/done.html"), "<p>\n{% endif %}").unwrap();
    for arguments in [["config", "check"].as_slice(), &["serve"]] {
        let (code, told) = check(arguments);
        assert_eq!(code, Some(2), "{told}");
        assert!(
            told.contains("my.toml:2") && told.contains("auth.pages.templates") && told.contains("done.html:2"),
            "{told}"
        );
    }
}
