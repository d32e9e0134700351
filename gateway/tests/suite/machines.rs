//! Machine types, machines, and where things stand in the queue, over the API.

use serde_json::{Value, json};
use storage::{
    ids::JobId,
    leases::{self, Claim},
    machines,
};

use super::world::World;

const TYPES: &str = "/api/v1/machine-types";
const MACHINES: &str = "/api/v1/machines";

/// A job that waits.
async fn queued(world: &World) -> (JobId, String) {
    let snapshot = world.snapshot.to_string();
    let body = json!({"command": ["true"], "snapshot_id": snapshot});
    let editor = world.client("editor");
    let made = editor.post("/api/v1/projects/vision/jobs", body).await;
    let made = made.expect(201);
    let number = &made["number"];
    (
        made["id"].as_str().unwrap().parse().unwrap(),
        format!("/api/v1/projects/vision/jobs/{number}"),
    )
}

/// Places it on the only machine, for 3.60 an hour.
async fn place(world: &World, id: JobId) {
    let machine = machines::list(world.app.db()).await.unwrap().remove(0);
    let claim = &Claim {
        machine_id: machine.id,
        machine: "local".to_owned(),
        cpu_millicores: 500,
        memory_bytes: 0,
        devices: Vec::new(),
        price: Some(3_600_000),
    };
    let placed = world
        .app
        .write(move |mut tx| async move { leases::place_job(&mut tx, id, claim).await });
    assert!(placed.await.is_some());
}

#[tokio::test]
async fn a_job_tells_its_place_then_its_machine_and_cost() {
    let world = World::new().await;
    let editor = world.client("editor");
    let (id, path) = queued(&world).await;
    let (_, later) = queued(&world).await;
    let waiting = editor.get(&later).await.expect(200);
    assert_eq!(waiting["queue"]["position"], 2);
    assert_eq!(waiting["queue"]["length"], 2);
    assert_eq!(waiting["machine_name"], Value::Null);
    place(&world, id).await;
    world.app.clock.advance(2_000);
    let running = editor.get(&path).await.expect(200);
    assert_eq!(running["machine_name"], "desk");
    assert_eq!(running["price_per_hour"], "3.60");
    assert_eq!(running["cost"], "0.002");
    assert_eq!(running["queue"], Value::Null);
    let waiting = editor.get(&later).await.expect(200);
    assert_eq!(
        waiting["queue"],
        json!({"position": 1, "length": 1, "reason": "All places for jobs are taken."})
    );
    let all = editor.get("/api/v1/jobs").await.expect(200);
    assert_eq!(all["items"][0]["queue"]["position"], 1);
    assert_eq!(all["items"][1]["machine_name"], "desk");
}

#[tokio::test]
async fn everybody_sees_what_is_free_and_administrators_who_has_it() {
    let world = World::new().await;
    let (id, _) = queued(&world).await;
    let kind = world.client("viewer").get(TYPES).await.expect(200)["items"][0].clone();
    assert_eq!(kind["name"], "local");
    assert_eq!(
        (&kind["capacity"], &kind["free"], &kind["queued"]),
        (&json!(1), &json!(1), &json!(1))
    );
    assert_eq!(
        (&kind["misfit"], &kind["is_default"]),
        (&Value::Null, &json!(true))
    );
    place(&world, id).await;
    let kind = world.client("viewer").get(TYPES).await.expect(200)["items"][0].clone();
    assert_eq!((&kind["free"], &kind["queued"]), (&json!(0), &json!(0)));
    for (caller, runs) in [("viewer", 0), ("admin", 1)] {
        let machine = world.client(caller).get(MACHINES).await.expect(200)["items"][0].clone();
        assert_eq!(
            (&machine["name"], &machine["state"]),
            (&json!("desk"), &json!("online"))
        );
        assert_eq!(
            (&machine["slots_used"], &machine["cpu_used_millicores"]),
            (&json!(1), &json!(500))
        );
        assert_eq!(machine["runs"].as_array().unwrap().len(), runs, "{caller}");
    }
}

#[tokio::test]
async fn a_machine_is_made_known_drained_and_removed() {
    let world = World::new().await;
    let admin = world.client("admin");
    let made = admin
        .post(MACHINES, json!({"name": "m2", "labels": ["gpu"]}))
        .await
        .expect(201);
    assert!(made["token"].as_str().unwrap().starts_with("cairn_"));
    assert_eq!(made["machine"]["state"], "offline");
    assert_eq!(
        admin
            .post(MACHINES, json!({"name": "m2"}))
            .await
            .refused(409),
        "conflict"
    );
    assert_eq!(
        admin
            .post(MACHINES, json!({"name": "M 2"}))
            .await
            .refused(400),
        "invalid"
    );
    let m2 = format!("{MACHINES}/m2");
    let drained = admin
        .patch(&m2, json!({"draining": true, "labels": ["fast"]}))
        .await
        .expect(200);
    assert_eq!(
        (&drained["state"], &drained["labels"]),
        (&json!("draining"), &json!(["fast"]))
    );
    let again = admin
        .post(&format!("{m2}/token"), Value::Null)
        .await
        .expect(201);
    assert_ne!(again["token"], made["token"]);
    admin.delete(&m2).await.expect(204);
    assert_eq!(admin.delete(&m2).await.refused(404), "not_found");
    let own = admin.delete(&format!("{MACHINES}/desk")).await;
    assert_eq!(own.refused(409), "machine_busy");
}
