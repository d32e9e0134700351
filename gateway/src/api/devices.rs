//! Signing in a program by a code that a person approves in their browser, as RFC 8628 describes.

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json;
use storage::{
    audit,
    devices::{self as records, Poll},
    tokens,
};
use utoipa::ToSchema;

use super::{
    sessions::refused,
    tokens::{IssuedToken, of_program},
};
use crate::{
    app::App,
    auth::{Principal, ms, rate},
    authz::{self, Action},
    error::{ApiError, Envelope},
    extract::{ClientAddress, Json, Path},
};

/// How often a program asks, in seconds.
const INTERVAL_S: u64 = 2;

/// A program that wants to sign in.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewDevice {
    /// What the person is to see: the program and the machine.
    name: String,
}

/// What a program needs to sign in.
#[derive(Serialize, ToSchema)]
pub(crate) struct DeviceCodes {
    /// For the program alone.
    device_code: String,
    /// For the person to compare.
    user_code: String,
    /// Where the person approves.
    verification_url: String,
    /// Seconds to wait between two questions.
    interval_s: u64,
    /// When the codes stop to work, in milliseconds since 1970, UTC.
    expires_ms: i64,
}

/// A program that waits for approval.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Device {
    /// What the program shows.
    user_code: String,
    /// What it calls itself. Anybody can claim anything here.
    name: String,
    /// When it asked, in milliseconds since 1970, UTC.
    created_ms: i64,
    /// When the code stops to work, in milliseconds since 1970, UTC.
    expires_ms: i64,
}

/// The program's own code.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PollRequest {
    /// `device_code` of the beginning.
    device_code: String,
}

/// Not yet.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Waiting {
    /// Seconds to wait before asking again.
    interval_s: u64,
}

/// Begins to sign a program in.
#[utoipa::path(post, path = "/devices", operation_id = "create_device", tag = "account", request_body = NewDevice,
    responses((status = 201, body = DeviceCodes), (status = "4XX", body = Envelope)), security(()))]
pub(crate) async fn create_device(
    State(app): State<App>,
    ClientAddress(address): ClientAddress,
    Json(new): Json<NewDevice>,
) -> Result<(StatusCode, Json<DeviceCodes>), ApiError> {
    app.device_starts()
        .attempt(rate::key("", address), &**app.db().clock())
        .map_err(|wait_s| {
            ApiError::too_many("Too many sign-ins were begun. Wait a little.", wait_s)
        })?;
    let ttl_ms = ms(app.config().lifetimes.device_code);
    let name = new.name.as_str();
    let (device, secret) = app
        .db()
        .write(move |mut tx| async move { records::create(&mut tx, name, ttl_ms).await })
        .await?;
    let codes = DeviceCodes {
        device_code: secret.expose().to_owned(),
        verification_url: format!(
            "{}/device?code={}",
            app.config().app_origin(),
            device.user_code
        ),
        user_code: device.user_code,
        interval_s: INTERVAL_S,
        expires_ms: device.expires_ms,
    };
    Ok((StatusCode::CREATED, Json(codes)))
}

/// Asks whether the person has approved; the token is told once.
#[utoipa::path(post, path = "/devices/token", operation_id = "poll_device", tag = "account", request_body = PollRequest,
    responses((status = 200, body = IssuedToken), (status = 202, body = Waiting), (status = "4XX", body = Envelope)), security(()))]
pub(crate) async fn poll_device(
    State(app): State<App>,
    Json(poll): Json<PollRequest>,
) -> Result<Response, ApiError> {
    let expires_ms = super::after(&app, app.config().lifetimes.device_token);
    let code = poll.device_code.as_str();
    let (answer, made) = app
        .db()
        .write(move |mut tx| async move {
            let answer = records::poll(&mut tx, code).await?;
            let Poll::Approved(user) = answer else {
                return Ok((answer, None));
            };
            let name = records::name(&mut tx, code).await?.unwrap_or_default();
            let record = of_program(user, &name, expires_ms);
            Ok((answer, Some(tokens::create(&mut tx, &record).await?)))
        })
        .await?;
    if let Some((token, secret)) = made {
        return Ok(Json(IssuedToken::new(token, &secret)).into_response());
    }
    match answer {
        Poll::Pending | Poll::Approved(_) => {
            let waiting = Json(Waiting {
                interval_s: INTERVAL_S,
            });
            Ok((StatusCode::ACCEPTED, waiting).into_response())
        }
        Poll::Denied => Err(refused(&app, "The sign-in was refused.")),
        Poll::Gone => Err(refused(
            &app,
            "The code is unknown, used or too old. Begin again.",
        )),
    }
}

/// Shows the program that waits for approval under a code.
#[utoipa::path(get, path = "/devices/{user_code}", operation_id = "get_device", tag = "account",
    params(("user_code" = String, Path, description = "As typed: in any case, with or without its hyphen")),
    responses((status = 200, body = Device), (status = "4XX", body = Envelope)))]
pub(crate) async fn get_device(
    State(app): State<App>,
    principal: Principal,
    Path(code): Path<String>,
) -> Result<Json<Device>, ApiError> {
    authz::require_general(&principal, Action::ChangeAccount)?;
    count_guess(&app, &principal)?;
    let device = records::by_code(app.db(), &code).await?;
    let device = device.ok_or_else(|| ApiError::not_found("code"))?;
    app.device_guesses()
        .succeeded(rate::key_of_user(principal.user.id));
    Ok(Json(Device {
        user_code: device.user_code,
        name: device.name,
        created_ms: device.created_ms,
        expires_ms: device.expires_ms,
    }))
}

/// Lets the program sign in as the caller.
#[utoipa::path(post, path = "/devices/{user_code}/approve", operation_id = "approve_device", tag = "account",
    params(("user_code" = String, Path)), responses((status = 204), (status = "4XX", body = Envelope)))]
pub(crate) async fn approve_device(
    State(app): State<App>,
    principal: Principal,
    Path(code): Path<String>,
) -> Result<StatusCode, ApiError> {
    authz::require_general(&principal, Action::ApproveDevice)?;
    count_guess(&app, &principal)?;
    let (code, user) = (code.as_str(), principal.user.id);
    let was_pending = app
        .db()
        .write(move |mut tx| async move {
            let was_pending = records::approve(&mut tx, code, user).await?;
            if was_pending {
                audit::record(&mut tx, Some(user), "approve_device", code, &json!({})).await?;
            }
            Ok(was_pending)
        })
        .await?;
    answered(&app, &principal, was_pending)
}

/// Refuses the program.
#[utoipa::path(post, path = "/devices/{user_code}/deny", operation_id = "deny_device", tag = "account",
    params(("user_code" = String, Path)), responses((status = 204), (status = "4XX", body = Envelope)))]
pub(crate) async fn deny_device(
    State(app): State<App>,
    principal: Principal,
    Path(code): Path<String>,
) -> Result<StatusCode, ApiError> {
    authz::require_general(&principal, Action::ApproveDevice)?;
    count_guess(&app, &principal)?;
    let code = code.as_str();
    let was_pending = app
        .db()
        .write(move |mut tx| async move { records::deny(&mut tx, code).await })
        .await?;
    answered(&app, &principal, was_pending)
}

fn answered(app: &App, principal: &Principal, was_pending: bool) -> Result<StatusCode, ApiError> {
    if !was_pending {
        return Err(ApiError::not_found("code"));
    }
    app.device_guesses()
        .succeeded(rate::key_of_user(principal.user.id));
    Ok(StatusCode::NO_CONTENT)
}

/// A code has 20^8 values, but a signed-in person may not search among them.
fn count_guess(app: &App, principal: &Principal) -> Result<(), ApiError> {
    let key = rate::key_of_user(principal.user.id);
    app.device_guesses()
        .attempt(key, &**app.db().clock())
        .map_err(|wait_s| ApiError::too_many("Too many wrong codes. Wait a little.", wait_s))
}
