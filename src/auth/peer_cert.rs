//! `transport.peer_cert`: a client certificate as Crossbar.io shows it to an authenticator.

use std::net::{Ipv4Addr, Ipv6Addr};

use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::objects::{oid_registry, oid2abbrev, oid2sn};
use x509_parser::oid_registry::OID_PKCS9_EMAIL_ADDRESS;
use x509_parser::prelude::FromDer as _;
use x509_parser::time::ASN1Time;
use x509_parser::x509::X509Name;

use super::{Certificate, hex};
use crate::id::MAX_ID;
use crate::message::{Dict, dict};

/// `sha1`, `sha256`, and of what can be read as X.509 `serial` (a decimal text beyond 2^53), `version` (2 is version 3),
/// `signature_algorithm`, `not_before`, `not_after`, `subject`, `issuer`, and `extensions`, of which only `subjectAltName`
/// is told.
pub(super) fn peer_cert(certificate: &Certificate) -> Dict {
    let mut told =
        dict([("sha1", colons(&certificate.sha1).into()), ("sha256", colons(&certificate.sha256).into())]);
    let Ok((_, read)) = X509Certificate::from_der(&certificate.der) else { return told };
    let serial = match u64::try_from(&read.tbs_certificate.serial) {
        Ok(serial) if serial <= MAX_ID => serial.into(),
        _ => read.tbs_certificate.serial.to_string().into(),
    };
    let algorithm = &read.signature_algorithm.algorithm;
    told.append(&mut dict([
        ("serial", serial),
        ("version", read.version().0.into()),
        (
            "signature_algorithm",
            oid2sn(algorithm, oid_registry()).map_or_else(|_| algorithm.to_id_string(), str::to_owned).into(),
        ),
        ("not_before", moment(read.validity().not_before).into()),
        ("not_after", moment(read.validity().not_after).into()),
        ("subject", name(read.subject()).into()),
        ("issuer", name(read.issuer()).into()),
        ("extensions", alternative_names(&read).into_iter().collect()),
    ]));
    told
}

/// The parts of a name, by the short names of OpenSSL in lower case (`cn`, `o`, `emailaddress`); the last one where there
/// are several of a kind.
fn name(name: &X509Name<'_>) -> Dict {
    let mut parts = Dict::new();
    for part in name.iter_attributes() {
        let kind = part.attr_type();
        let key = if *kind == OID_PKCS9_EMAIL_ADDRESS {
            "emailaddress".to_owned()
        } else {
            oid2abbrev(kind, oid_registry()).map_or_else(|_| kind.to_id_string(), str::to_lowercase)
        };
        if let Ok(value) = part.as_str() {
            parts.insert(key, value.into());
        }
    }
    parts
}

/// The names beside the subject, as OpenSSL writes them.
fn alternative_names(certificate: &X509Certificate<'_>) -> Option<Dict> {
    let extension = certificate.subject_alternative_name().ok()??;
    let names = extension.value.general_names.iter().filter_map(|name| match name {
        GeneralName::DNSName(name) => Some(format!("DNS:{name}")),
        GeneralName::RFC822Name(address) => Some(format!("email:{address}")),
        GeneralName::URI(address) => Some(format!("URI:{address}")),
        GeneralName::IPAddress(octets) => Some(format!("IP Address:{}", ip_address(octets)?)),
        _ => None,
    });
    Some(dict([
        ("name", "subjectAltName".into()),
        ("value", names.collect::<Vec<_>>().join(", ").into()),
        ("critical", extension.critical.into()),
    ]))
}

fn ip_address(octets: &[u8]) -> Option<String> {
    if let Ok(octets) = <[u8; 4]>::try_from(octets) {
        return Some(Ipv4Addr::from(octets).to_string());
    }
    let segments = Ipv6Addr::from(<[u8; 16]>::try_from(octets).ok()?).segments();
    Some(segments.map(|segment| format!("{segment:X}")).join(":"))
}

/// As in the certificate, if it has the long form: `20261122211235Z`.
fn moment(time: ASN1Time) -> String {
    let time = time.to_datetime();
    let (date, month) = (time.date(), u8::from(time.month()));
    let (hour, minute, second) = time.to_hms();
    format!("{:04}{month:02}{:02}{hour:02}{minute:02}{second:02}Z", date.year(), date.day())
}

/// As Crossbar.io writes fingerprints: `0A:1B:..`.
fn colons(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 3);
    for byte in bytes {
        if !text.is_empty() {
            text.push(':');
        }
        text.push_str(&hex::encode(&[*byte]));
    }
    text.make_ascii_uppercase();
    text
}
