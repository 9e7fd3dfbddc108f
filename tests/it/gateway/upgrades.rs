//! WebSocket through the front door.

use std::time::{Duration, Instant};

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::net::TcpListener;
use tokio_tungstenite::{
    accept_async, connect_async,
    tungstenite::{Bytes, Message, client::IntoClientRequest as _},
};

use super::upstream;
use crate::support::TestApp;

/// A WebSocket server that sends back what it gets.
async fn echo() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let Ok(mut socket) = accept_async(stream).await else { return };
                while let Some(Ok(message)) = socket.next().await {
                    if (message.is_text() || message.is_binary()) && socket.send(message).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    url
}

fn socket_url(app: &TestApp) -> String {
    format!("{}/u/chat?room=1", app.url.replace("http://", "ws://"))
}

#[tokio::test]
async fn messages_go_both_ways() {
    let of_route = "upgrade = [\"websocket\"]\nauth = \"optional\"\ntimeout = \"1s\"";
    let app = TestApp::simple().settings(&upstream(&echo().await, "", of_route)).start().await;
    let (mut socket, answer) = connect_async(socket_url(&app)).await.unwrap();
    assert_eq!(answer.status(), 101);
    assert!(answer.headers().contains_key("x-request-id"));
    let large = Bytes::from(vec![7; 1 << 20]);
    for message in [Message::text("hello"), Message::binary(large), Message::text("")] {
        socket.send(message.clone()).await.unwrap();
        assert_eq!(socket.next().await.unwrap().unwrap(), message);
    }
    socket.send(Message::Ping(Bytes::from_static(b"p"))).await.unwrap();
    assert_eq!(socket.next().await.unwrap().unwrap(), Message::Pong(Bytes::from_static(b"p")));
    tokio::time::sleep(Duration::from_millis(1200)).await;
    socket.send(Message::text("after the route's time")).await.unwrap();
    assert!(socket.next().await.unwrap().unwrap().is_text());
    let open = app.get("/metrics").send().await.text();
    assert!(open.contains("upstream_tunnels_active{upstream=\"u\"} 1"), "{open}");
    socket.close(None).await.unwrap();
    while let Some(Ok(_)) = socket.next().await {}
    tokio::time::sleep(Duration::from_millis(200)).await;
    let closed = app.get("/metrics").send().await.text();
    assert!(closed.contains("upstream_tunnels_active{upstream=\"u\"} 0"), "{closed}");
    assert!(closed.contains("upstream_tunnels_total{upstream=\"u\"} 1"), "{closed}");
    assert!(app.logs().contains("tunnel_closed"));
}

#[tokio::test]
async fn a_socket_needs_what_any_request_needs() {
    let of_route = "upgrade = [\"websocket\"]\nauth = \"required\"";
    let app = TestApp::simple().settings(&upstream(&echo().await, "", of_route)).start().await;
    let refused = connect_async(socket_url(&app)).await.unwrap_err();
    assert!(refused.to_string().contains("401"), "{refused}");
    let session = app.session_of("ada@example.org").await;
    let mut request = socket_url(&app).into_client_request().unwrap();
    let bearer = format!("Bearer {}", session.access_token);
    request.headers_mut().insert("authorization", bearer.parse().unwrap());
    let (mut socket, _) = connect_async(request).await.unwrap();
    socket.send(Message::text("in")).await.unwrap();
    assert_eq!(socket.next().await.unwrap().unwrap(), Message::text("in"));
}

#[tokio::test]
async fn an_open_socket_ends_with_the_time_of_the_shutdown() {
    let settings =
        format!("[server]\nshutdown_timeout = \"1s\"\n{}", upstream(&echo().await, "", "upgrade = [\"websocket\"]"));
    let mut app = TestApp::simple().settings(&settings).start().await;
    let (mut socket, _) = connect_async(socket_url(&app)).await.unwrap();
    let start = Instant::now();
    app.processes[0].signal("TERM");
    tokio::time::sleep(Duration::from_millis(300)).await;
    socket.send(Message::text("still there")).await.unwrap();
    assert_eq!(socket.next().await.unwrap().unwrap(), Message::text("still there"));
    assert_eq!(app.processes[0].exit_code(Duration::from_secs(6)).await, Some(0));
    assert!((700..5000).contains(&start.elapsed().as_millis()), "{:?}", start.elapsed());
    assert!(!matches!(socket.next().await, Some(Ok(_))), "the connection is over");
}
