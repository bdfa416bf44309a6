//! MQTT: before TLS, before CONNECT, and from a device that has lost its manners.

use std::sync::Arc;

use anyhow::Context as _;
use futures_util::future::join_all;
use gatelodge_cloud::{clock::Clock, config::Config, kits::Kits, wiring};
use gatelodge_proto::{DeviceId, Random};
use gatelodge_tests::{
    cloud::TestCloud,
    mqtt::{RawClient, connect, first, packet, publish, text},
};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, pem::PemObject as _};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

use super::{PATIENCE, serves_on, started};
use crate::devices::{Key, catalogue, enrolled, import, names, row};

/// A device that the running cloud knows.
struct Device {
    id: DeviceId,
    tls: Arc<ClientConfig>,
}

impl Device {
    /// Enrols unit `n` through the services, on the running cloud's data.
    async fn enrol(kits: &Kits, n: u8) -> anyhow::Result<Self> {
        import(kits, &[row(&names(n), "factory_secret")]).await;
        let key = Key::make();
        let credentials = enrolled(key.enrol_by_secret(kits, &names(n)).await?);
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(kits.pki.server_ca().as_bytes())?)?;
        let chain = CertificateDer::pem_slice_iter(credentials.chain.as_bytes()).collect::<Result<_, _>>()?;
        let tls = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_client_auth_cert(chain, PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.0.serialize_der())))?;
        Ok(Self { id: credentials.device, tls: Arc::new(tls) })
    }

    async fn open(&self, cloud: &TestCloud) -> anyhow::Result<RawClient> {
        RawClient::open("localhost", cloud.mqtt_port(), Arc::clone(&self.tls)).await
    }

    async fn connected(&self, cloud: &TestCloud) -> anyhow::Result<RawClient> {
        let mut client = self.open(cloud).await?;
        let answer = client.connect(&self.id.to_string()).await;
        anyhow::ensure!(answer == Some(0), "CONNECT is answered {answer:?}");
        Ok(client)
    }
}

async fn kits(cloud: &TestCloud) -> anyhow::Result<Kits> {
    let config = Config::load(Some(cloud.config()), [])?;
    let kits = wiring::open_kits(config, Clock::system(), Random::system()).await?;
    catalogue(&kits).await;
    Ok(kits)
}

/// Waits for the end of a connection; whatever comes before is told.
async fn ends(client: &mut RawClient) -> anyhow::Result<Vec<u8>> {
    let all = async {
        let mut heard = Vec::new();
        while let Some((first, _)) = client.packet().await {
            heard.push(first);
        }
        heard
    };
    timeout(PATIENCE, all).await.context("the connection stays open")
}

#[tokio::test]
async fn bytes_before_a_certificate_are_cut_off() -> anyhow::Result<()> {
    let (cloud, _) = started().await?;
    let rows: Vec<(&str, Vec<u8>)> = vec![
        ("HTTP", b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec()),
        ("MQTT without TLS", connect("anybody")),
        ("zeros", vec![0; 20_000]),
        ("a record that lies about its length", vec![0x16, 3, 1, 0xff, 0xff, 1, 0, 0, 0]),
        ("a ClientHello that is none", [&[0x16, 3, 1, 0, 50, 1, 0, 0, 46][..], &[0xff; 46]].concat()),
        ("an alert", vec![0x15, 3, 3, 0, 2, 2, 40]),
        ("half a ClientHello", vec![0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3]),
        ("nothing", Vec::new()),
    ];
    let tried = rows.into_iter().map(async |(what, bytes)| -> anyhow::Result<Option<String>> {
        let mut stream = TcpStream::connect(("localhost", cloud.mqtt_port())).await?;
        let _ = stream.write_all(&bytes).await;
        let mut heard = Vec::new();
        let end = timeout(PATIENCE, stream.read_to_end(&mut heard)).await;
        // At most an alert.
        Ok((end.is_err() || heard.len() > 16).then(|| format!("{what}: {end:?}, {} bytes", heard.len())))
    });
    for wrong in join_all(tried).await {
        assert_eq!(wrong?, None);
    }
    serves_on(&cloud).await
}

#[tokio::test]
async fn a_device_that_breaks_the_protocol_is_cut_off_and_others_are_not() -> anyhow::Result<()> {
    let (cloud, _) = started().await?;
    let kits = kits(&cloud).await?;
    let (honest, rude) = (Device::enrol(&kits, 1).await?, Device::enrol(&kits, 2).await?);
    let mut honestly = honest.connected(&cloud).await?;
    let name = rude.id.to_string();
    let topic = format!("gl/1/d/{name}/up/event");

    let with = |flags: u8, properties: &[u8], client_id: &[u8], rest: &[u8]| {
        let head = [&text(b"MQTT")[..], &[5, flags, 0, 30], properties, &text(client_id), rest].concat();
        packet(first::CONNECT, &head)
    };
    let good = connect(&name);
    let before: Vec<(&str, Vec<u8>)> = vec![
        ("PUBLISH before CONNECT", publish(&topic, 1, b"{}")),
        ("SUBSCRIBE before CONNECT", packet(first::SUBSCRIBE, &[0, 1, 0, 0, 1, b'#', 0])),
        ("PINGREQ before CONNECT", packet(first::PINGREQ, b"")),
        ("DISCONNECT before CONNECT", packet(first::DISCONNECT, b"")),
        ("a packet of type 0", vec![0x00, 0]),
        ("AUTH before CONNECT", vec![0xf0, 0]),
        ("a length of five bytes", vec![first::CONNECT, 0xff, 0xff, 0xff, 0xff, 0x7f]),
        ("a CONNECT longer than it says", [&[first::CONNECT, 4][..], &good[2..]].concat()),
        ("another protocol", with_protocol(b"MQXX", 5)),
        ("an unknown version", with_protocol(b"MQTT", 9)),
        ("the reserved flag", with(0x03, &[0], name.as_bytes(), b"")),
        ("a will of QoS 3", with(0x1e, &[0], name.as_bytes(), &[0, 0, 1, b't', 0, 1, b'x'])),
        ("a will without one", with(0x06, &[0], name.as_bytes(), b"")),
        ("properties longer than the packet", with(0x02, &[0x7f], name.as_bytes(), b"")),
        ("an unknown property", with(0x02, &[2, 0x7e, 0], name.as_bytes(), b"")),
        ("a receive maximum of 0", with(0x02, &[3, 0x21, 0, 0], name.as_bytes(), b"")),
        ("a client id that is no text", with(0x02, &[0], b"\xff\xfe\xfd", b"")),
        ("a client id with a zero", with(0x02, &[0], b"a\0b", b"")),
        ("a client id of 65,535 letters", with(0x02, &[0], &vec![b'a'; 65_535], b"")),
        ("no client id", with(0x02, &[0], b"", b"")),
    ];
    for (what, bytes) in before {
        let mut client = rude.open(&cloud).await?;
        let _ = client.send(&bytes).await;
        let heard = ends(&mut client).await.context(what)?;
        let said_yes =
            matches!(heard.as_slice(), [first::CONNACK, first::PUBACK | first::SUBACK | first::PINGRESP, ..]);
        assert!(!said_yes, "{what}: {heard:02x?}");
    }

    // rmqtt waits without end for the rest of a first packet. It takes a certificate to get here, and no memory to wait.
    let mut held = Vec::new();
    for bytes in [vec![first::CONNECT, 0xff, 0xff, 0xff, 0x7f], [&[first::CONNECT, 200][..], &good[2..]].concat()] {
        for _ in 0..20 {
            let mut client = rude.open(&cloud).await?;
            client.send(&bytes).await?;
            held.push(client);
        }
    }

    let long_topic = format!("gl/1/d/{name}/up/{}", "x/".repeat(30_000));
    let aliased = |alias: [u8; 2]| {
        packet(first::PUBLISH, &[&text(topic.as_bytes())[..], &[0, 1, 3, 0x23], &alias, b"{}"].concat())
    };
    let after: Vec<(&str, Vec<u8>)> = vec![
        ("a second CONNECT", good.clone()),
        ("a PUBLISH of 100 KiB", publish(&topic, 1, &vec![b'x'; 100 << 10])),
        ("a PUBLISH that claims 256 MiB", vec![first::PUBLISH, 0xff, 0xff, 0xff, 0x7f, 0]),
        ("a PUBLISH with a length of five bytes", vec![first::PUBLISH, 0xff, 0xff, 0xff, 0xff, 0x01]),
        ("a PUBLISH of QoS 3", [&[0x36][..], &publish(&topic, 1, b"{}")[1..]].concat()),
        ("a PUBLISH with the id 0", publish(&topic, 0, b"{}")),
        ("a PUBLISH with a topic longer than it", packet(first::PUBLISH, &[0xff, 0xff, b'a'])),
        ("a topic that is no text", packet(first::PUBLISH, &[0, 2, 0xff, 0xfe, 0, 1, 0])),
        ("a topic alias of 0", aliased([0, 0])),
        ("a SUBSCRIBE with wrong flags", packet(0x80, &[0, 1, 0, 0, 1, b'#', 0])),
        ("a SUBSCRIBE without a filter", packet(first::SUBSCRIBE, &[0, 1, 0])),
        ("a packet of type 0", vec![0x00, 0]),
        ("a CONNACK", packet(first::CONNACK, &[0, 0, 0])),
        ("noise", vec![0xa5; 5000]),
    ];
    let mut open = Vec::new();
    for (what, bytes) in after {
        let mut client = rude.connected(&cloud).await.context(what)?;
        let _ = client.send(&bytes).await;
        if let Err(error) = ends(&mut client).await {
            open.push(format!("{what}: {error:#}"));
        }
    }
    assert!(open.is_empty(), "{open:#?}");
    // Not against the protocol, but against the rules: answered, and done.
    let beyond = packet(first::PUBLISH, &[&text(b"")[..], &[0, 1, 3, 0x23, 0xff, 0xff], b"{}"].concat());
    let refused: Vec<(&str, Vec<u8>)> = vec![
        ("a topic of 60,000 letters", publish(&long_topic, 1, b"{}")),
        ("a PUBLISH without a topic", publish("", 1, b"{}")),
        ("a wildcard", publish("gl/1/d/+/up/event", 1, b"{}")),
        ("a topic alias beyond the maximum", beyond),
    ];
    for (what, bytes) in refused {
        let mut client = rude.connected(&cloud).await.context(what)?;
        client.send(&bytes).await?;
        let answer = timeout(PATIENCE, client.packet()).await.context(what)?;
        let is_refused = match &answer {
            None | Some((first::DISCONNECT, _)) => true,
            Some((first::PUBACK, body)) => body.get(2).is_some_and(|reason| *reason >= 0x80),
            Some(_) => false,
        };
        assert!(is_refused, "{what}: {answer:02x?}");
    }

    honestly.send(&packet(first::PINGREQ, b"")).await?;
    let answer = timeout(PATIENCE, honestly.packet()).await.context("the honest device is answered")?;
    assert_eq!(answer.map(|(first, _)| first), Some(first::PINGRESP));
    serves_on(&cloud).await
}

fn with_protocol(name: &[u8], version: u8) -> Vec<u8> {
    packet(first::CONNECT, &[&text(name)[..], &[version, 0x02, 0, 30, 0], &text(b"a")].concat())
}
