//! The inventory from CSV.

use gatelodge_cloud::{
    audit::Actor,
    devices::{model::Names, service},
};

use super::{HEADER, audited, catalogue, each, import, names, row};

/// An ID code whose last character is another one.
fn mistyped(names: &Names) -> String {
    let code = names.id_code.to_string();
    let other = if code.ends_with('7') { '8' } else { '7' };
    format!("{}{other}", &code[..code.len() - 1])
}

#[tokio::test]
async fn good_rows_are_kept_and_bad_ones_named_by_line_and_reason() {
    for test in each().await {
        let kits = &test.kits;
        catalogue(kits).await;
        import(kits, &[row(&names(90), "on_site_code")]).await;
        let (a, b) = (names(1), names(2));
        let rows = [
            row(&a, "factory_secret"),
            format!("{},{},S-3,AX-200,,on_site_code,", mistyped(&b), b.mac),
            format!("{},02:42,S-4,AX-200,,on_site_code,", names(4).id_code),
            format!("{},{},SN-0001,AX-200,,on_site_code,", names(5).id_code, names(5).mac),
            format!("{},{},S-6,ZZ-9,,on_site_code,", names(6).id_code, names(6).mac),
            format!("{},{},S-7,AX-200,3 May,on_site_code,", names(7).id_code, names(7).mac),
            format!("{},{},S-8,AX-200,,handshake,", names(8).id_code, names(8).mac),
            format!("{},{},S-9,AX-200,,factory_secret,b9", names(9).id_code, names(9).mac),
            format!("{},{},S-10,AX-200,,factory_secret,", names(10).id_code, names(10).mac),
            format!("{},{},S-11,AX-200,,on_site_code,", names(90).id_code, names(11).mac),
            "too,short".to_owned(),
            row(&b, "on_site_code"),
        ];
        let done = import(kits, &rows).await;
        let faults: Vec<(u64, String)> = done.faults.iter().map(|line| (line.number, line.fault.to_string())).collect();
        let expected = [
            (3, "check character"),
            (4, "mac: a MAC address has 12 digits"),
            (5, "the same serial number as line 2"),
            (6, "`ZZ-9` is not in the catalogue"),
            (7, "`3 May` is no date"),
            (8, "`handshake` is no kind of proof"),
            (9, "there is no batch `b9`"),
            (10, "needs the name of its batch"),
            (11, "ID code is already there, under another identity"),
            (12, "it has 2 fields, not 7"),
        ];
        assert_eq!(faults.len(), expected.len(), "{faults:#?}");
        for ((line, fault), (number, text)) in faults.iter().zip(expected) {
            assert!(*line == number && fault.contains(text), "line {line}: {fault}; expected {number}: {text}");
        }
        assert_eq!((done.added, done.unchanged), (2, 0));

        let again = import(kits, &rows).await;
        assert_eq!((again.added, again.unchanged, again.faults.len()), (0, 2, expected.len()));
        assert_eq!(audited(kits, "devices_imported").await, 2);
    }
}

#[tokio::test]
async fn a_dry_run_says_the_same_and_changes_nothing() {
    for test in each().await {
        let kits = &test.kits;
        catalogue(kits).await;
        let file = format!("{HEADER}\n{}\n", row(&names(1), "on_site_code"));
        let by = || Actor::Operator("test".into());
        let dry = service::import(kits, by(), file.as_bytes(), true).await.unwrap();
        assert_eq!((dry.added, dry.unchanged), (1, 0));
        let mut tx = kits.db.read().await.unwrap();
        assert!(service::by_label(&mut tx, names(1).id_code, names(1).mac).await.unwrap().is_none());
        drop(tx);
        let changed = file.replace("2026-05-03", "2026-05-04");
        service::import(kits, by(), file.as_bytes(), false).await.unwrap();
        let differs = service::import(kits, by(), changed.as_bytes(), false).await.unwrap();
        assert!(differs.faults[0].fault.to_string().contains("another purchase date"), "{differs:?}");
    }
}

#[tokio::test]
async fn a_file_with_other_columns_is_refused_whole() {
    for test in each().await {
        let import = async |text: &str| {
            let by = Actor::Operator("test".into());
            service::import(&test.kits, by, text.as_bytes(), false).await.unwrap_err().to_string()
        };
        assert!(import("id_code,mac\n").await.contains("`serial` is missing"));
        assert!(import(&format!("{HEADER},colour\n")).await.contains("`colour` is none of them"));
    }
}
