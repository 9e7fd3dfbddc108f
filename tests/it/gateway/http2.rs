//! HTTP/2 from clients, through the whole binary, without TLS: by clients that know.

use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use http::{Request, StatusCode, Version};
use http_body_util::{BodyExt as _, Empty};
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::{Value, json};
use tokio::{io::AsyncWriteExt as _, net::TcpStream, task::JoinHandle};
use wiremock::ResponseTemplate;

use super::upstream;
use crate::support::{Backend, Manner, RawUpstream, TestApp, eventually};

/// One connection, and how it ends.
async fn connect(app: &TestApp) -> (SendRequest<Empty<Bytes>>, JoinHandle<hyper::Result<()>>) {
    let stream = TcpStream::connect(app.url.strip_prefix("http://").unwrap()).await.unwrap();
    let (sender, driver) = handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    (sender, tokio::spawn(driver))
}

async fn get(app: &TestApp, sender: &SendRequest<Empty<Bytes>>, path: &str) -> hyper::Result<(StatusCode, Bytes)> {
    let request = Request::get(format!("{}{path}", app.url)).body(Empty::new()).unwrap();
    let answer = sender.clone().send_request(request).await?;
    assert_eq!(answer.version(), Version::HTTP_2);
    let status = answer.status();
    Ok((status, answer.into_body().collect().await?.to_bytes()))
}

#[tokio::test]
async fn login_and_a_call_behind_it() {
    let backend = Backend::answering(&json!({"hello": "you"})).await;
    let settings = upstream(&backend.url(), "", "auth = \"required\"");
    let app = TestApp::simple().settings(&settings).start().await;
    let user = app.register("ada@example.org").await;
    app.verify(&user).await;
    let client = reqwest::Client::builder().no_proxy().http2_prior_knowledge().build().unwrap();
    let body = json!({"email": user.email, "password": user.password});
    let login = client.post(format!("{}/auth/login", app.url)).json(&body).send().await.unwrap();
    assert_eq!((login.status().as_u16(), login.version()), (200, Version::HTTP_2));
    let token = login.json::<Value>().await.unwrap()["access_token"].as_str().unwrap().to_owned();
    let call = client.get(format!("{}/u/a", app.url));
    let refused = call.try_clone().unwrap().send().await.unwrap();
    assert_eq!((refused.status().as_u16(), refused.version()), (401, Version::HTTP_2));
    assert_eq!(refused.json::<Value>().await.unwrap()["code"], "unauthenticated");
    let reply = call.bearer_auth(&token).send().await.unwrap();
    assert_eq!((reply.status().as_u16(), reply.version()), (200, Version::HTTP_2));
    assert_eq!(reply.json::<Value>().await.unwrap(), json!({"hello": "you"}));
    assert!(backend.requests().await[0].headers.contains_key("x-user-id"));
    app.get("/health").send().await.must_be(200);
}

#[tokio::test]
async fn sigterm_finishes_a_hundred_streams_of_one_connection() {
    let backend = Backend::start().await;
    backend.answer(ResponseTemplate::new(200).set_delay(Duration::from_millis(1500)).set_body_string("done")).await;
    let mut app = TestApp::simple().settings(&upstream(&backend.url(), "", "")).start().await;
    let (sender, driver) = connect(&app).await;
    let app_ref = &app;
    let calls = join_all((0..100).map(|_| get(app_ref, &sender, "/u/a")));
    let signalled = async {
        let all = async || (backend.requests().await.len() == 100).then_some(());
        assert!(eventually(Duration::from_secs(10), all).await.is_some(), "all are under way");
        app_ref.processes[0].signal("TERM");
    };
    let (answers, ()) = tokio::join!(calls, signalled);
    for answer in answers {
        assert_eq!(answer.unwrap(), (StatusCode::OK, Bytes::from_static(b"done")));
    }
    // GOAWAY without an error: the client knows that nothing was lost.
    driver.await.unwrap().unwrap();
    assert!(get(&app, &sender, "/u/a").await.is_err());
    assert_eq!(app.processes[0].exit_code(Duration::from_secs(10)).await, Some(0), "{}", app.logs());
}

#[tokio::test]
async fn connections_without_a_request_do_not_hold_the_end_up() {
    let mut app = TestApp::simple().start().await;
    let mut kept = Vec::new();
    for greeting in
        ["PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0", "PRI", ""]
    {
        let mut stream = TcpStream::connect(app.url.strip_prefix("http://").unwrap()).await.unwrap();
        stream.write_all(greeting.as_bytes()).await.unwrap();
        kept.push(stream);
    }
    let (sender, driver) = connect(&app).await;
    assert_eq!(get(&app, &sender, "/health").await.unwrap().0, StatusCode::OK);
    app.processes[0].signal("TERM");
    // Sooner than `shutdown_timeout` would end it.
    assert_eq!(app.processes[0].exit_code(Duration::from_secs(6)).await, Some(0), "{}", app.logs());
    driver.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_flood_of_resets_ends_its_connection_only() {
    let raw = RawUpstream::start(Manner::Hang).await;
    let settings = format!("{}\n[server.http2]\nmax_resets = 30\n", upstream(&raw.url(), "", ""));
    let app = TestApp::simple().settings(&settings).start().await;
    let ((flood, driver), (neighbour, _)) = (connect(&app).await, connect(&app).await);
    for _ in 0..1000 {
        if driver.is_finished() {
            break;
        }
        let request = Request::get(format!("{}/u/a", app.url)).body(Empty::new()).unwrap();
        let mut sender = flood.clone();
        let asked = tokio::spawn(async move { sender.send_request(request).await.is_ok() });
        tokio::time::sleep(Duration::from_millis(2)).await;
        asked.abort();
    }
    assert!(driver.is_finished(), "the connection goes on");
    let given_up = eventually(Duration::from_secs(5), async || (raw.open_connections() == 0).then_some(()));
    assert!(given_up.await.is_some(), "{} calls go on", raw.open_connections());
    assert_eq!(get(&app, &neighbour, "/health").await.unwrap().0, StatusCode::OK);
}
