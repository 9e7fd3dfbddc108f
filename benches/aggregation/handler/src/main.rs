//! What a team writes by hand instead: an actix handler that asks three backends at the same time, with kept connections and
//! a deadline, checks that the answers are JSON, and puts their bytes into one object. No breaker, no metrics, no log.
//!
//! Arguments: the port to listen on, the port of the backends.

use std::time::Duration;

use actix_web::{App, HttpResponse, HttpServer, web};
use bytes::Bytes;
use http::Uri;
use http_body_util::{BodyExt as _, Empty};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde_json::value::RawValue;

type Backends = Client<HttpConnector, Empty<Bytes>>;

struct Shared {
    client: Backends,
    upstream: String,
}

async fn fetch(shared: &Shared, name: &str, id: &str) -> Option<Bytes> {
    let url: Uri = format!("{}/{name}/{id}", shared.upstream).parse().ok()?;
    let fetched = async {
        let answer = shared.client.get(url).await.ok()?;
        if !answer.status().is_success() {
            return None;
        }
        Some(answer.into_body().collect().await.ok()?.to_bytes())
    };
    let body = tokio::time::timeout(Duration::from_secs(2), fetched).await.ok()??;
    serde_json::from_slice::<&RawValue>(&body).ok()?;
    Some(body)
}

async fn screen(id: web::Path<String>, shared: web::Data<Shared>) -> HttpResponse {
    let (profile, orders, offers) =
        tokio::join!(fetch(&shared, "profile", &id), fetch(&shared, "orders", &id), fetch(&shared, "offers", &id));
    let Some(profile) = profile else { return HttpResponse::BadGateway().finish() };
    let null = || Bytes::from_static(b"null");
    let complete = orders.is_some() && offers.is_some();
    let (orders, offers) = (orders.unwrap_or_else(null), offers.unwrap_or_else(null));
    let mut body = Vec::with_capacity(profile.len() + orders.len() + offers.len() + 40);
    for (name, part) in [("{\"profile\":", profile), (",\"orders\":", orders), (",\"offers\":", offers)] {
        body.extend_from_slice(name.as_bytes());
        body.extend_from_slice(part.trim_ascii());
    }
    body.push(b'}');
    HttpResponse::Ok()
        .content_type("application/json")
        .insert_header(("x-aggregation-complete", if complete { "true" } else { "false" }))
        .body(body)
}

#[actix_web::main]
async fn main() -> std::io::Result<()> {
    let ports: Vec<u16> = std::env::args().skip(1).filter_map(|port| port.parse().ok()).collect();
    let [port, upstream] = ports[..] else { return Err(std::io::Error::other("expected two ports")) };
    let upstream = format!("http://127.0.0.1:{upstream}");
    let server = HttpServer::new(move || {
        // A client for each worker: its connections stay in the thread that uses them.
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new()).pool_max_idle_per_host(256).build(connector);
        let shared = Shared { client, upstream: upstream.clone() };
        App::new().app_data(web::Data::new(shared)).route("/data/screen/{id}", web::get().to(screen))
    });
    server.workers(1).bind(("127.0.0.1", port))?.run().await
}
