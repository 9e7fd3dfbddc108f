//! SQLite here; PostgreSQL is asked in the journeys.

use sea_orm::{ConnectionTrait as _, Database};

use super::*;

const BOUNDS: Bounds = Bounds { rows: 3, bytes: 1_000, timeout: Duration::from_millis(500) };

async fn database() -> (tempfile::TempDir, ReadOnly) {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", folder.path().join("some.db").display());
    let writer = Database::connect(format!("{url}?mode=rwc")).await.unwrap();
    for order in [
        "create table things (id integer, name text, price real, raw blob, good boolean)",
        "insert into things values (1, 'é \"x\"', 1.5, x'00ff', true), (9007199254740993, null, 1.25e20, null, false)",
    ] {
        writer.execute_unprepared(order).await.unwrap();
    }
    writer.close().await.unwrap();
    (folder, ReadOnly::new(&url, 2).unwrap())
}

fn texts(values: &[&str]) -> Vec<String> {
    values.iter().map(|&value| value.to_owned()).collect()
}

#[tokio::test]
async fn rows_are_objects_and_values_are_values() {
    let (_folder, database) = database().await;
    let all = database.rows("select * from things order by id", &[], BOUNDS).await;
    let expected = r#"[{"id":1,"name":"é \"x\"","price":1.5,"raw":"00ff","good":true},{"id":9007199254740993,"name":null,"price":1.25e20,"raw":null,"good":false}]"#;
    let (all, expected): (serde_json::Value, serde_json::Value) =
        (serde_json::from_str(&all.unwrap()).unwrap(), serde_json::from_str(expected).unwrap());
    assert_eq!(all, expected);
    let one = async |value: &str| database.rows("select id from things where id = ?1", &texts(&[value]), BOUNDS).await;
    assert_eq!(one("1").await.as_deref(), Ok(r#"[{"id":1}]"#), "a text is compared with a number as one");
    assert_eq!(one("1 or 1=1").await.as_deref(), Ok("[]"));
}

#[tokio::test]
async fn nothing_is_written_and_everything_is_bounded() {
    let (_folder, database) = database().await;
    let ask = async |question: &str| database.rows(question, &[], BOUNDS).await;
    for order in ["delete from things", "insert into things (id) values (7) returning id"] {
        assert!(matches!(ask(order).await, Err(ReadFault::Refused(_))), "{order}");
    }
    let count = "with recursive n(i) as (select 1 union all select i + 1 from n limit 4) select i from n";
    assert_eq!(ask(count).await, Err(ReadFault::TooMany(3)));
    assert_eq!(ask("select hex(zeroblob(1000)) as x").await, Err(ReadFault::TooLarge));
    let started = tokio::time::Instant::now();
    let endless = "with recursive n(i) as (select 1 union all select i + 1 from n) select count(*) from n";
    assert_eq!(ask(endless).await, Err(ReadFault::Timeout));
    assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
    assert_eq!(ask("select 1 as one").await.as_deref(), Ok(r#"[{"one":1}]"#), "it serves again");
    let nowhere = ReadOnly::new("sqlite:///nowhere/at/all.db", 1).unwrap();
    assert_eq!(nowhere.rows("select 1", &[], BOUNDS).await, Err(ReadFault::Unavailable));
    assert!(ReadOnly::new("mysql://x", 1).is_err());
}
