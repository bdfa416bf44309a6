//! Sessions whose process is a script, or this test at the other end of a socket.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    os::unix::{fs::PermissionsExt as _, net::UnixListener},
};

use gatelodge_proto::{
    DeviceId, FlowId, OrganisationId, Random, Timestamp, UserId, grant::Technician, payload::FlowOutcome,
};

use super::*;
use crate::{
    config,
    identity::{Identity, MacSource, SerialSource},
    session::Word,
};

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

fn board() -> Board {
    let environment = [("GATELODGE_AGENT__CLOUD__URL".to_owned(), "https://cloud.example.com".to_owned())];
    let config = config::read(None, environment).unwrap();
    let identity = Identity {
        id_code: None,
        serial: "AX-1".parse().unwrap(),
        serial_source: SerialSource::Factory,
        mac: "02:42:AC:11:00:02".parse().unwrap(),
        mac_source: MacSource::Factory,
        model: String::new(),
        firmware: String::new(),
        factory_secret: None,
    };
    Board::new(&identity, &config, NOW)
}

/// Sessions whose process is this script: what the agent does when a process misbehaves. `meet` opens its socket and
/// waits for the agent at `$c`.
fn of_script(script: &str) -> (tempfile::TempDir, Board, Sessions) {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("program");
    let prelude = "use IO::Socket::UNIX; <STDIN>; $| = 1;\n\
                   sub meet { $l = IO::Socket::UNIX->new(Local => $ARGV[2], Listen => 1) or die; print \"ready\\n\"; \
                   $c = $l->accept; $c->autoflush; }\n";
    std::fs::write(&program, format!("#!/usr/bin/perl\n{prelude}{script}\n")).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let board = board();
    let sessions = Sessions::of_program(board.clone(), program.into(), folder.path().join(FOLDER)).unwrap();
    (folder, board, sessions)
}

fn grant() -> Grant {
    let random = Random::seeded(1);
    Grant {
        session: SessionId::make(NOW, &random),
        device: DeviceId::make(NOW, &random),
        epoch: 1,
        technician: Technician {
            user: UserId::make(NOW, &random),
            name: "Marc Petit".into(),
            organisation: OrganisationId::make(NOW, &random),
            organisation_name: "Petit Alarmes".into(),
        },
        key_thumbprint: String::new(),
        services: Vec::new(),
        networks: Vec::new(),
        listens: Vec::new(),
        features: Vec::new(),
        recording: Vec::new(),
        from: NOW,
        until: NOW,
        lifetime_s: 60,
        idle_s: 60,
        consent: Consent::Ask,
        reason: None,
        ticket_number: None,
        break_glass: false,
    }
}

fn ended(session: SessionId, reason: EndReason, bytes_up: u64) -> Happening {
    Happening::SessionEnded { session, reason, bytes_up, bytes_down: 0 }
}

fn unsaid(session: SessionId, reason: EndReason) -> SessionNews {
    let happened = vec![Happening::RecordCutShort { session }, ended(session, reason, 0)];
    SessionNews { happened, receipts: Vec::new() }
}

fn unbegun(session: SessionId) -> SessionNews {
    SessionNews { happened: vec![ended(session, EndReason::RelayLost, 0)], receipts: Vec::new() }
}

/// One thing that a process has said.
fn one(what: Happening, receipt: Receipt) -> SessionNews {
    SessionNews { happened: vec![what], receipts: vec![receipt] }
}

fn word(number: u64, what: &Happening) -> String {
    serde_json::to_string(&Word::Happened { number, what: what.clone() }).unwrap()
}

#[tokio::test]
async fn a_process_that_dies_without_a_word_has_its_end_told() {
    for (script, told) in
        [("exit 1;", unbegun as fn(_) -> _), ("meet; exit 1;", |session| unsaid(session, EndReason::RelayLost))]
    {
        let (_folder, board, mut sessions) = of_script(script);
        let grant = grant();
        sessions.open(&grant, ConsentKind::Cloud, b"{}".to_vec()).unwrap();
        sessions.open(&grant, ConsentKind::Cloud, b"{}".to_vec()).unwrap();
        assert_eq!((sessions.len(), board.status().sessions.len()), (1, 1), "the same session twice is one");
        assert_eq!(sessions.next().await, told(grant.session));
        assert!(sessions.is_empty() && board.status().sessions.is_empty());
    }
}

#[tokio::test]
async fn what_a_process_says_is_passed_on_and_it_is_told_what_was_taken() {
    let grant = grant();
    let what = ended(grant.session, EndReason::Device, 7);
    let script = format!(
        "meet; $stop = <$c>; print $c '{}', \"\\n\" if $stop eq qq({{\"stop\":\"device\"}}\\n);\n\
         $taken = <$c>; die unless $taken eq qq({{\"taken\":1}}\\n);",
        word(1, &what)
    );
    let (_folder, _board, mut sessions) = of_script(&script);
    sessions.open(&grant, ConsentKind::Cloud, b"{}".to_vec()).unwrap();
    sessions.stop(grant.session, EndReason::Device);
    let receipt = Receipt { session: grant.session, number: 1 };
    assert_eq!(sessions.next().await, one(what, receipt));
    sessions.taken(receipt);
    assert_eq!(sessions.next().await, SessionNews::default(), "its own end is not told twice");
    assert!(sessions.is_empty());
}

#[tokio::test]
async fn the_rule_ends_what_it_does_not_allow_any_more() {
    for (opened_under, rule, ends) in [
        (Consent::Always, Consent::Always, false),
        (Consent::Always, Consent::Ask, true),
        (Consent::Always, Consent::Never, true),
        (Consent::Ask, Consent::Always, false),
        (Consent::Ask, Consent::Ask, false),
        (Consent::Ask, Consent::Never, true),
    ] {
        let (_folder, _board, mut sessions) = of_script("meet; <$c>; exit 0;");
        let grant = Grant { consent: opened_under, ..grant() };
        sessions.open(&grant, ConsentKind::Cloud, b"{}".to_vec()).unwrap();
        sessions.keep_to(rule);
        let reason = if ends { EndReason::Revoked } else { EndReason::Device };
        sessions.stop_all(EndReason::Device);
        assert_eq!(sessions.next().await, unsaid(grant.session, reason), "{opened_under:?}, then {rule:?}");
    }
}

#[tokio::test]
async fn a_process_that_does_not_stop_is_killed() {
    let (_folder, _board, mut sessions) = of_script("meet; $SIG{TERM} = 'IGNORE'; while (1) { sleep 100 }");
    let grant = grant();
    sessions.open(&grant, ConsentKind::Cloud, b"{}".to_vec()).unwrap();
    sessions.stop_all(EndReason::Revoked);
    assert_eq!(sessions.next().await, unsaid(grant.session, EndReason::Revoked));
}

#[tokio::test]
async fn an_agent_that_starts_takes_over_what_is_live_and_forgets_what_is_not() {
    let state = tempfile::tempdir().unwrap();
    let folder = state.path().join(FOLDER);
    std::fs::create_dir(&folder).unwrap();
    drop(UnixListener::bind(folder.join("dead")).unwrap());
    let (grant, socket) = (grant(), folder.join("live"));
    let listener = UnixListener::bind(&socket).unwrap();
    let flow = Happening::FlowOpened {
        session: grant.session,
        flow: FlowId::make(NOW, &Random::seeded(2)),
        target: "tcp 192.168.1.50:80".into(),
        outcome: FlowOutcome::Opened,
    };
    // The process, which introduces itself and says again what the earlier agent has not taken.
    let words = [serde_json::to_string(&Word::Card(Card::of(&grant, ConsentKind::Pressed))).unwrap(), word(9, &flow)]
        .join("\n")
        + "\n";
    let process = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.write_all(words.as_bytes()).unwrap();
        BufReader::new(stream).lines().take(2).collect::<Result<Vec<_>, _>>().unwrap()
    });
    let board = board();
    let mut sessions = Sessions::in_state(board.clone(), state.path()).unwrap();
    assert_eq!(board.status().sessions, [Card::of(&grant, ConsentKind::Pressed).shown]);
    assert!(!folder.join("dead").exists());
    let receipt = Receipt { session: grant.session, number: 9 };
    assert_eq!(sessions.next().await, one(flow, receipt));
    assert_eq!(board.status().sessions[0].opened, ["tcp 192.168.1.50:80"]);
    sessions.taken(receipt);
    sessions.stop_unproven(EndReason::Device);
    sessions.stop_by_rule(EndReason::Device);
    sessions.stop(grant.session, EndReason::Customer);
    assert_eq!(sessions.next().await, unsaid(grant.session, EndReason::Customer));
    assert_eq!(process.join().unwrap(), [r#"{"taken":9}"#, r#"{"stop":"customer"}"#]);
}

#[tokio::test]
async fn rows_that_come_while_others_are_written_down_are_taken_together_and_none_is_missing() {
    let grant = grant();
    let flow = |place: u64| Happening::FlowClosed {
        session: grant.session,
        flow: FlowId::make(NOW, &Random::seeded(place)),
        bytes_up: place,
        bytes_down: 0,
        duration_ms: 0,
    };
    let rows: Vec<_> = (1..=50).map(flow).collect();
    let words: Vec<_> = rows.iter().zip(1..).map(|(what, number)| word(number, what)).collect();
    let script = format!(
        "meet; print $c join(\"\\n\", {}), \"\\n\"; <$c>;",
        words.iter().map(|word| format!("'{word}'")).collect::<Vec<_>>().join(",")
    );
    let (_folder, _board, mut sessions) = of_script(&script);
    sessions.open(&grant, ConsentKind::Cloud, b"{}".to_vec()).unwrap();
    let SessionNews { happened: mut told, receipts } = sessions.next().await;
    let taken = usize::try_from(receipts[0].number).unwrap();
    if taken < rows.len() {
        // The rest comes while the first is written down.
        while sessions.said.len() < rows.len() - taken {
            tokio::task::yield_now().await;
        }
        let rest = sessions.next().await;
        assert_eq!(rest.happened.len(), 1, "one message");
        assert_eq!(rest.receipts, [Receipt { session: grant.session, number: 50 }], "and one receipt");
        told.extend(rest.happened);
    }
    let apart = told.into_iter().flat_map(|what| match what {
        Happening::Flows { session, rows } => rows.into_iter().map(|row| row.alone(session)).collect(),
        other => vec![other],
    });
    assert_eq!(apart.collect::<Vec<_>>(), rows);
}
