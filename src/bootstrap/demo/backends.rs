//! Two sample backends, each a real HTTP server on a port of its own.

use std::{
    io,
    net::{Ipv4Addr, TcpListener},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use serde_json::{Value, json};

/// The running backends' base URLs.
pub(super) struct Backends {
    /// Products.
    pub(super) catalog: String,
    /// Customers and their orders. `POST /break` makes it answer 503 until `POST /mend`.
    pub(super) customers: String,
}

impl Backends {
    /// Starts both on free ports; they run until the process ends.
    pub(super) fn start() -> io::Result<Self> {
        let broken = Arc::new(AtomicBool::new(false));
        let catalog = serve(|app| {
            app.route("/products", web::get().to(products))
                .route("/products/{id}", web::get().to(product))
                .route("/whoami", web::get().to(whoami));
        })?;
        let customers = serve(move |app| {
            app.app_data(web::Data::from(broken.clone()))
                .route("/customers/{id}", web::get().to(customer))
                .route("/customers/{id}/orders", web::get().to(orders))
                .route("/break", web::post().to(break_down))
                .route("/mend", web::post().to(mend));
        })?;
        Ok(Self { catalog, customers })
    }
}

fn serve(routes: impl Fn(&mut web::ServiceConfig) + Clone + Send + 'static) -> io::Result<String> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.local_addr()?;
    let run = move || {
        let server = HttpServer::new(move || App::new().configure(routes.clone())).workers(1).disable_signals();
        actix_web::rt::System::new().block_on(async { server.listen(listener)?.run().await })
    };
    // The process's own runtime does not run yet, and these are not part of it.
    std::thread::Builder::new().name("demo-backend".to_owned()).spawn(run)?;
    Ok(format!("http://{address}"))
}

type Broken = web::Data<AtomicBool>;

async fn break_down(broken: Broken) -> HttpResponse {
    broken.store(true, Ordering::Relaxed);
    HttpResponse::NoContent().finish()
}

async fn mend(broken: Broken) -> HttpResponse {
    broken.store(false, Ordering::Relaxed);
    HttpResponse::NoContent().finish()
}

const PRODUCTS: [(u64, &str, &str); 3] = [(1, "Lamp", "49.90"), (2, "Desk", "310.00"), (3, "Chair", "129.50")];

fn shown((id, name, price): (u64, &str, &str)) -> Value {
    json!({"id": id, "name": name, "price": price})
}

async fn products() -> HttpResponse {
    HttpResponse::Ok().json(PRODUCTS.map(shown))
}

async fn product(id: web::Path<u64>) -> HttpResponse {
    match PRODUCTS.into_iter().find(|(known, ..)| *known == *id) {
        Some(product) => HttpResponse::Ok().json(shown(product)),
        None => HttpResponse::NotFound().json(json!({"error": "no such product"})),
    }
}

/// What the gateway told about the caller.
async fn whoami(request: HttpRequest) -> HttpResponse {
    let header = |name| request.headers().get(name).and_then(|value| value.to_str().ok());
    let names = ["x-user-id", "x-user-email", "x-user-roles", "x-request-id", "traceparent", "x-forwarded-for"];
    HttpResponse::Ok()
        .json(names.into_iter().map(|name| (name, header(name))).collect::<std::collections::BTreeMap<_, _>>())
}

async fn customer(id: web::Path<u64>, broken: Broken) -> HttpResponse {
    if broken.load(Ordering::Relaxed) {
        return HttpResponse::ServiceUnavailable().finish();
    }
    HttpResponse::Ok().json(json!({
        "id": *id, "name": "Ada Example", "email": "ada@example.com", "internal_note": "not for the screen",
    }))
}

async fn orders(id: web::Path<u64>, broken: Broken) -> HttpResponse {
    if broken.load(Ordering::Relaxed) {
        return HttpResponse::ServiceUnavailable().finish();
    }
    HttpResponse::Ok().json(json!([
        {"id": *id * 100 + 1, "product_id": 1, "quantity": 2},
        {"id": *id * 100 + 2, "product_id": 3, "quantity": 4},
    ]))
}
