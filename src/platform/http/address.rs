//! The client's address. The peer of the connection is the client unless it is a proxy that the configuration trusts; then
//! the right-most address that no trusted proxy has is, because everything left of it is hearsay.

use std::{
    fmt::{self, Write as _},
    net::{IpAddr, SocketAddr},
    ops::Deref,
};

use actix_web::http::header::{FORWARDED, HeaderMap, HeaderValue, X_FORWARDED_FOR};
use ipnet::IpNet;

/// The client of a request that came over a connection from `peer`. `X-Forwarded-For` counts before `Forwarded`
/// (RFC 7239), which most proxies pass on as it came. An entry that is no address ends the walk: what stands left of it
/// cannot be vouched for.
pub fn client_address(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let peer = peer.to_canonical();
    if !is_trusted(peer, trusted) {
        return peer;
    }
    if headers.contains_key(X_FORWARDED_FOR) {
        let lines: Vec<&[u8]> = headers.get_all(X_FORWARDED_FOR).map(HeaderValue::as_bytes).collect();
        return right_most_untrusted(peer, trusted, lines.iter().rev().flat_map(|line| entries(line)), Some);
    }
    if headers.contains_key(FORWARDED) {
        let lines: Vec<&[u8]> = headers.get_all(FORWARDED).map(HeaderValue::as_bytes).collect();
        return right_most_untrusted(peer, trusted, lines.iter().rev().flat_map(|line| entries(line)), forwarded_for);
    }
    peer
}

/// Whether the peer is one of the trusted proxies.
pub fn is_trusted(peer: IpAddr, trusted: &[IpNet]) -> bool {
    let peer = peer.to_canonical();
    trusted.iter().any(|net| net.contains(&peer))
}

/// An address as text. Every request needs it twice, and formatting an address takes longer than finding its route.
pub fn address_text(address: IpAddr) -> AddressText {
    let mut text = AddressText { bytes: [0; LONGEST], length: 0 };
    match address {
        IpAddr::V4(address) => {
            for (number, octet) in address.octets().into_iter().enumerate() {
                if number > 0 {
                    text.push(b'.');
                }
                let digits = [octet / 100, octet / 10 % 10, octet % 10];
                let leading = usize::from(octet < 100) + usize::from(octet < 10);
                digits[leading..].iter().for_each(|digit| text.push(b'0' + digit));
            }
        }
        // There is room for the longest.
        IpAddr::V6(address) => drop(write!(text, "{address}")),
    }
    text
}

/// The longest address: six groups of an IPv6 address and an IPv4 one.
const LONGEST: usize = 45;

/// An address as text, where it is.
#[derive(Debug, Clone, Copy)]
pub struct AddressText {
    bytes: [u8; LONGEST],
    length: usize,
}

impl AddressText {
    fn push(&mut self, byte: u8) {
        if let Some(place) = self.bytes.get_mut(self.length) {
            *place = byte;
            self.length += 1;
        }
    }
}

impl fmt::Write for AddressText {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.bytes().for_each(|byte| self.push(byte));
        Ok(())
    }
}

impl Deref for AddressText {
    type Target = str;

    fn deref(&self) -> &str {
        std::str::from_utf8(&self.bytes[..self.length]).unwrap_or_default()
    }
}

/// The entries of one header line, last first. A line that is not text is one entry that is no address.
fn entries(line: &[u8]) -> impl Iterator<Item = &str> {
    std::str::from_utf8(line).unwrap_or("").rsplit(',').map(str::trim)
}

fn right_most_untrusted<'a>(
    peer: IpAddr,
    trusted: &[IpNet],
    entries: impl Iterator<Item = &'a str>,
    read: impl Fn(&'a str) -> Option<&'a str>,
) -> IpAddr {
    let mut client = peer;
    for entry in entries {
        let Some(address) = read(entry).and_then(parse_node) else { return client };
        client = address;
        if !is_trusted(client, trusted) {
            return client;
        }
    }
    client
}

/// The `for` parameter of a `Forwarded` element.
fn forwarded_for(element: &str) -> Option<&str> {
    let mut pairs = element.split(';').filter_map(|pair| pair.trim().split_once('='));
    let (_, value) = pairs.find(|(name, _)| name.eq_ignore_ascii_case("for"))?;
    Some(value.trim_matches('"'))
}

/// An address, with or without a port: `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]:80`.
fn parse_node(text: &str) -> Option<IpAddr> {
    let address = text.parse::<IpAddr>().ok();
    let address = address.or_else(|| text.parse::<SocketAddr>().ok().map(|node| node.ip()));
    let address = address.or_else(|| text.strip_prefix('[')?.strip_suffix(']')?.parse().ok())?;
    Some(address.to_canonical())
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderName;
    use rstest::rstest;

    use super::*;

    #[test]
    fn an_address_is_written_as_it_is_read() {
        let all = (0..=255u8).map(|octet| IpAddr::from([octet, 255 - octet, octet, 7]));
        for address in all.chain(["::1".parse().unwrap(), "2001:db8::ffff".parse().unwrap()]) {
            assert_eq!(&*address_text(address), address.to_string());
        }
    }

    fn resolve(peer: &str, lines: &[(&'static str, &'static str)]) -> String {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        let trusted = ["127.0.0.0/8".parse().unwrap(), "10.0.0.0/8".parse().unwrap()];
        client_address(peer.parse().unwrap(), &headers, &trusted).to_string()
    }

    #[rstest]
    #[case::nothing_said("127.0.0.1", &[], "127.0.0.1")]
    #[case::untrusted_peer("192.0.2.9", &[("x-forwarded-for", "1.1.1.1")], "192.0.2.9")]
    #[case::one_proxy("127.0.0.1", &[("x-forwarded-for", "192.0.2.1")], "192.0.2.1")]
    #[case::spoofed_prefix("127.0.0.1", &[("x-forwarded-for", "1.1.1.1, 192.0.2.1, 10.1.1.1")], "192.0.2.1")]
    #[case::several_lines("127.0.0.1", &[("x-forwarded-for", "1.1.1.1"), ("x-forwarded-for", "192.0.2.1")], "192.0.2.1")]
    #[case::all_trusted("127.0.0.1", &[("x-forwarded-for", "10.0.0.1, 10.0.0.2")], "10.0.0.1")]
    #[case::garbage_ends_the_walk("127.0.0.1", &[("x-forwarded-for", "192.0.2.1, unknown, 10.0.0.2")], "10.0.0.2")]
    #[case::port("127.0.0.1", &[("x-forwarded-for", "192.0.2.1:4711")], "192.0.2.1")]
    #[case::forwarded("127.0.0.1", &[("forwarded", "for=1.1.1.1, for=\"[2001:db8::1]:80\";proto=https")], "2001:db8::1")]
    #[case::both("127.0.0.1", &[("forwarded", "for=1.1.1.1"), ("x-forwarded-for", "192.0.2.1")], "192.0.2.1")]
    #[case::mapped("::ffff:127.0.0.1", &[("x-forwarded-for", "::ffff:192.0.2.1")], "192.0.2.1")]
    fn the_right_most_untrusted_address_counts(
        #[case] peer: &str,
        #[case] lines: &[(&'static str, &'static str)],
        #[case] client: &str,
    ) {
        assert_eq!(resolve(peer, lines), client);
    }
}
