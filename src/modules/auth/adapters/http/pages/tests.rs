//! The templates, the headers, and forms that are not ours.

use std::{path::Path, sync::Arc};

use actix_web::{HttpResponse, body::MessageBody as _, test::TestRequest};

use super::{PagesConfig, *};
use crate::platform::random::SystemRandom;

fn config(templates: Option<&Path>) -> PagesConfig {
    PagesConfig {
        product_name: "Acme & Sons".to_owned(),
        logo_url: None,
        accent: "#0b5c70".to_owned(),
        accent_dark: "#7cc7d9".to_owned(),
        templates: templates.map(Path::to_owned),
    }
}

fn pages(issuer: &str) -> Pages {
    Pages::with(&config(None), issuer, Arc::new(SystemRandom)).unwrap()
}

fn faults(folder: &Path) -> Vec<String> {
    let faults = Pages::with(&config(Some(folder)), "http://localhost", Arc::new(SystemRandom)).err();
    faults.unwrap_or_default().iter().map(ToString::to_string).collect()
}

fn header<'a>(answer: &'a HttpResponse, name: &str) -> &'a str {
    answer.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

fn text(answer: HttpResponse) -> String {
    String::from_utf8(answer.into_body().try_into_bytes().unwrap().to_vec()).unwrap()
}

const FORM: &str = "application/x-www-form-urlencoded";

const LOGIN: Page<'_> = Page::Login {
    action: "/oauth/login",
    client_name: Some("<script>alert(1)</script>"),
    email: "\"><img src=x>",
    error: Some("wrong"),
    hidden: &[("request", "a\"b")],
    passkey: None,
    captcha: None,
};

#[test]
fn every_page_is_whole_and_escaped() {
    let pages = pages("https://id.example/base");
    let request = TestRequest::default().to_http_request();
    let html = text(pages.show(&request, 401, &LOGIN));
    assert!(!html.contains("<script") && !html.contains("<img src=x"), "{html}");
    assert!(html.contains("<title>Error: Log in · Acme &amp; Sons</title>"), "{html}");
    assert!(html.contains("action=\"/base/oauth/login\""), "{html}");
    assert!(html.contains("value=\"&quot;&gt;&lt;img src=x&gt;\""), "{html}");
    assert!(html.contains("name=\"request\" value=\"a&quot;b\""), "{html}");
    assert!(html.contains("\"Segoe UI\"") && html.contains("--accent: #0b5c70;"), "the style is not escaped: {html}");
    for page in samples::SAMPLES {
        let html = text(pages.show(&request, 200, page));
        for part in ["<!doctype html>", "lang=\"en\"", "</html>", "<h1>"] {
            assert!(html.contains(part), "{page:?} without {part}");
        }
        let forms = html.matches("<form method=\"post\"").count();
        assert_eq!(html.matches("name=\"csrf_token\"").count(), forms, "{page:?}");
        for label in html.split("<label for=\"").skip(1) {
            let id = label.split('"').next().unwrap();
            assert!(html.contains(&format!("id=\"{id}\" name=\"{id}\"")), "{page:?}: a label for {id}");
        }
    }
}

#[test]
fn a_page_says_where_it_may_be_used() {
    let pages = pages("https://id.example");
    let request = TestRequest::default().to_http_request();
    let answer = pages.show_before("https://app.example/cb", &request, 200, &LOGIN);
    for (name, value) in [
        ("content-type", "text/html; charset=utf-8"),
        ("cache-control", "no-store"),
        ("referrer-policy", "no-referrer"),
        ("x-frame-options", "DENY"),
        ("x-content-type-options", "nosniff"),
    ] {
        assert_eq!(header(&answer, name), value);
    }
    let (policy, cookie) = (header(&answer, "content-security-policy"), header(&answer, "set-cookie"));
    assert!(policy.contains("form-action 'self' https://app.example;"), "{policy}");
    assert!(
        cookie.starts_with("__Host-vestibule_csrf=") && cookie.ends_with("; Path=/; HttpOnly; SameSite=Lax; Secure")
    );
    let nonce = policy.split("nonce-").nth(1).unwrap().split('\'').next().unwrap().to_owned();
    assert!(text(answer).contains(&format!("<style nonce=\"{nonce}\">")));
    let done = pages.show(&request, 200, &Page::Done { title: "Done", text: "Done" });
    assert_eq!(header(&done, "set-cookie"), "", "a page without a form needs no cookie");
}

#[test]
fn only_our_own_forms_are_read() {
    let pages = pages("http://localhost");
    let shown = pages.show(&TestRequest::default().to_http_request(), 200, &LOGIN);
    let cookie = header(&shown, "set-cookie").split(';').next().unwrap().to_owned();
    let csrf = cookie.split_once('=').unwrap().1.to_owned();
    let post = |cookie: &str, site: Option<&str>, media_type: &str, body: &str| {
        let mut request =
            TestRequest::post().insert_header(("cookie", cookie)).insert_header(("content-type", media_type));
        if let Some(site) = site {
            request = request.insert_header(("sec-fetch-site", site));
        }
        pages.posted(&request.to_http_request(), body.as_bytes())
    };
    let body = format!("csrf_token={csrf}&email=a%40b&code=1&code=2");
    let posted = post(&format!("x=y; {cookie}"), Some("same-origin"), FORM, &body).unwrap();
    assert_eq!((posted.field("email"), posted.field("code"), posted.text("more")), (Some("a@b"), None, ""));
    assert!(post(&cookie, None, "Application/X-WWW-Form-Urlencoded; charset=utf-8", &body).is_some());
    let other = "vestibule_csrf=0123456789abcdef0123456789abcdef";
    for (cookie, site, media_type, body) in [
        ("", None, FORM, body.as_str()),
        (other, None, FORM, &body),
        ("vestibule_csrf=", None, FORM, "csrf_token="),
        (&cookie, Some("cross-site"), FORM, &body),
        (&cookie, None, "text/plain", &body),
        (&cookie, None, FORM, "email=a"),
        (&cookie, None, FORM, &format!("{body}&csrf_token={csrf}")),
    ] {
        assert!(post(cookie, site, media_type, body).is_none(), "{cookie} {site:?} {media_type} {body}");
    }

    assert_eq!(pages.forged(&TestRequest::default().to_http_request()).status(), 403);

    let again = TestRequest::default().insert_header(("cookie", cookie)).to_http_request();
    let shown = pages.show(&again, 200, &LOGIN);
    assert_eq!(header(&shown, "set-cookie"), "", "a second tab shares the cookie of the first");
    assert!(text(shown).contains(&csrf));
}

#[test]
fn operators_replace_templates_and_learn_of_faults_at_start() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("done.html", "{% extends \"layout.html\" %}{% block body %}<h1>Fine: {{ title }}</h1>{% endblock %}");
    write(".gitignore", "");
    let pages = Pages::with(&config(Some(folder.path())), "http://localhost", Arc::new(SystemRandom)).unwrap();
    let request = TestRequest::default().to_http_request();
    let html = text(pages.show(&request, 200, &Page::Done { title: "a < b", text: "" }));
    assert!(html.contains("<h1>Fine: a &lt; b</h1>") && html.contains("Acme"), "{html}");

    write("done.html", "<p>\n{% if %}\n");
    write("dnoe.html", "");
    let found = faults(folder.path());
    assert!(found[0].contains("dnoe.html replaces nothing; the templates are layout.html, "), "{found:?}");
    assert!(found[1].starts_with("auth.pages.templates: done.html:2: "), "{found:?}");
    std::fs::remove_file(folder.path().join("dnoe.html")).unwrap();
    write("done.html", "<h1>{{ titel }}</h1>");
    write("error.html", "\n\n{{ nothing }}");
    let found = faults(folder.path());
    assert!(found.iter().any(|fault| fault.starts_with("auth.pages.templates: done.html:1: ")), "{found:?}");
    assert!(found.iter().any(|fault| fault.starts_with("auth.pages.templates: error.html:3: ")), "{found:?}");
    let missing = faults(&folder.path().join("missing"));
    assert!(missing[0].contains("cannot read"), "{missing:?}");
}

#[test]
fn a_problem_keeps_its_status_and_headers() {
    let pages = pages("http://localhost");
    let request = TestRequest::default().to_http_request();
    let problem = Problem::new(&crate::platform::http::problem::UNAVAILABLE, "busy")
        .retry_after(std::time::Duration::from_secs(3));
    let answer = pages.problem(&request, &problem);
    assert_eq!((answer.status().as_u16(), header(&answer, "retry-after")), (503, "3"));
    assert!(header(&answer, "content-type").starts_with("text/html"));
    assert!(answer.extensions().get::<Problem>().is_none(), "the front would write it anew");
}

#[test]
fn a_script_is_allowed_where_a_riddle_is_and_nowhere_else() {
    use crate::modules::auth::config::CaptchaProvider::{Hcaptcha, Recaptcha, Turnstile};
    let pages = pages("https://id.example");
    let request = TestRequest::default().to_http_request();
    for (provider, from) in [
        (Turnstile, "https://challenges.cloudflare.com"),
        (Hcaptcha, "https://hcaptcha.com https://*.hcaptcha.com"),
        (Recaptcha, "https://www.google.com/recaptcha/ https://www.gstatic.com/recaptcha/"),
    ] {
        let captcha = Some(Widget::of(provider, "a\"key"));
        let page = Page::ForgotPassword { email: "", error: None, captcha };
        let answer = pages.show(&request, 200, &page);
        let policy = header(&answer, "content-security-policy").to_owned();
        assert!(policy.contains(&format!("script-src {from}; frame-src {from};")), "{policy}");
        let html = text(answer);
        assert!(html.contains("data-sitekey=\"a&quot;key\"") && html.matches("<script").count() == 1, "{html}");
    }
    let answer = pages.show(&request, 200, &Page::ForgotPassword { email: "", error: None, captcha: None });
    assert!(!header(&answer, "content-security-policy").contains("script-src"));
    assert!(!text(answer).contains("<script"));
}
