//! A browser as far as forms and cookies go: it follows redirects, keeps cookies, and posts the forms it is shown with
//! their hidden fields.

use std::collections::BTreeMap;

use reqwest::Method;

use super::{Reply, TestApp};

/// Somebody in front of the hosted pages.
pub(crate) struct Visitor<'a> {
    app: &'a TestApp,
    pub(crate) cookies: BTreeMap<String, String>,
    /// The last answer that was no redirect to ourselves.
    pub(crate) page: Reply,
}

impl<'a> Visitor<'a> {
    pub(crate) fn new(app: &'a TestApp) -> Self {
        let page = Reply { status: 0, headers: reqwest::header::HeaderMap::new(), body: Vec::new() };
        Self { app, cookies: BTreeMap::new(), page }
    }

    /// Opens a path of the application, and follows it until there is a page or somebody else's address.
    pub(crate) async fn open(&mut self, path: &str) -> &mut Self {
        self.go(Method::GET, path, None).await
    }

    /// Posts the form of the page, with these fields filled in.
    pub(crate) async fn submit(&mut self, fields: &[(&str, &str)]) -> &mut Self {
        let html = self.page.text();
        let form = html.split_once("<form").unwrap_or_else(|| panic!("no form in {html}")).1;
        let form = form.split_once("</form>").expect("a form ends").0;
        let action = attribute(form, "action").expect("a form has an action");
        let inputs = form.split("<input").skip(1).map(|input| input.split('>').next().unwrap_or_default());
        let mut filled: Vec<(String, String)> = inputs
            .filter(|input| attribute(input, "type").as_deref() == Some("hidden"))
            .map(|input| (attribute(input, "name").unwrap(), attribute(input, "value").unwrap_or_default()))
            .collect();
        filled.extend(fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(filled).finish();
        self.go(Method::POST, &action, Some(body)).await
    }

    /// Posts a form of one's own making.
    pub(crate) async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> &mut Self {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        self.go(Method::POST, path, Some(body)).await
    }

    async fn go(&mut self, method: Method, path: &str, body: Option<String>) -> &mut Self {
        let (mut method, mut path, mut body) = (method, path.to_owned(), body);
        for _ in 0..10 {
            let cookies: Vec<_> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
            let mut call = self.app.call(method, &path).header("cookie", &cookies.join("; "));
            if let Some(body) = body.take() {
                call = call.body("application/x-www-form-urlencoded", body);
            }
            let reply = call.send().await;
            self.keep_cookies(&reply);
            let to = reply.header("location").map(str::to_owned);
            self.page = reply;
            let Some(to) = to else { return self };
            let Some(own) = to.strip_prefix(&self.app.url).or(to.starts_with('/').then_some(&to)) else { return self };
            (method, path) = (Method::GET, own.to_owned());
        }
        panic!("redirected in a circle: {:?}", self.page);
    }

    fn keep_cookies(&mut self, reply: &Reply) {
        for line in reply.headers.get_all("set-cookie") {
            let line = line.to_str().unwrap();
            assert!(line.contains("; HttpOnly") && line.contains("; SameSite="), "{line}");
            let (name, value) = line.split(';').next().unwrap().split_once('=').unwrap();
            if line.contains("Max-Age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
    }

    /// Fails unless the page has this status and says this.
    #[track_caller]
    pub(crate) fn sees(&mut self, status: u16, text: &str) -> &mut Self {
        let html = self.page.text();
        assert!(self.page.status == status && html.contains(text), "{status} {text:?} expected: {:?}", self.page);
        assert!(
            self.page.header("content-security-policy").is_some_and(|policy| policy.contains("default-src 'none'"))
        );
        self
    }

    /// The parameters that the browser was sent to this address with.
    #[track_caller]
    pub(crate) fn sent_to(&self, address: &str) -> BTreeMap<String, String> {
        let to = self.page.header("location").unwrap_or_else(|| panic!("no redirect: {:?}", self.page));
        let (found, query) = to.split_once('?').unwrap_or((to, ""));
        assert_eq!(found, address);
        form_urlencoded::parse(query.as_bytes()).into_owned().collect()
    }
}

/// The value of an attribute, as a browser reads it.
fn attribute(tag: &str, name: &str) -> Option<String> {
    let value = tag.split_once(&format!(" {name}=\""))?.1.split('"').next()?;
    let mut text = value.to_owned();
    for (escaped, plain) in
        [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#x27;", "'"), ("&#x2f;", "/"), ("&amp;", "&")]
    {
        text = text.replace(escaped, plain);
    }
    Some(text)
}
