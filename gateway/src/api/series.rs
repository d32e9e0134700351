//! The series of a job: the numbers that it printed, by key.

use axum::extract::State;
use serde::{Deserialize, Serialize};
use storage::series::{Axis, Point, Window};
use utoipa::{IntoParams, ToSchema};

use super::types::Listing;
use crate::{
    app::App,
    auth::Principal,
    authz::{self, Action},
    error::{ApiError, Envelope},
    extract::{Json, Path, Query},
};

/// Which series, and how finely.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct SeriesQuery {
    /// One key; all of them where left out.
    key: Option<String>,
    /// About how many points of each key at most, reduced so that the smallest and largest stay. Usually 1000.
    #[param(minimum = 2, maximum = 10_000)]
    points: Option<usize>,
    /// Only from here on, with `to`: what a zoomed chart shows. The neighbours of the first and the last point are given too.
    from: Option<f64>,
    /// Only up to here, with `from`.
    to: Option<f64>,
    /// What `from` and `to` are measured by. Usually `step`.
    #[param(inline)]
    axis: Option<SeriesAxis>,
}

/// What a window is measured by.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum SeriesAxis {
    /// The first number of a point.
    Step,
    /// Milliseconds since 1970, UTC.
    Time,
}

impl SeriesQuery {
    fn window(&self) -> Result<Option<Window>, ApiError> {
        let axis = match self.axis {
            None | Some(SeriesAxis::Step) => Axis::Step,
            Some(SeriesAxis::Time) => Axis::Time,
        };
        match (self.from, self.to) {
            (None, None) => Ok(None),
            (Some(from), Some(to)) if from <= to => Ok(Some(Window { axis, from, to })),
            _ => Err(ApiError::invalid(
                "`from` and `to` are given together, the smaller number first.",
            )),
        }
    }
}

/// The points of one key.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Series {
    /// The key.
    key: String,
    /// `[x, y, ms]` each: the step, the value, and when it was printed.
    #[schema(value_type = Vec<Vec<f64>>)]
    points: Vec<Point>,
    /// How many points there are before reduction.
    total: i64,
}

/// Reads the series of a job: the numbers that it printed, by key.
#[utoipa::path(get, path = "/projects/{project}/jobs/{number}/series", operation_id = "get_job_series", tag = "jobs",
    params(("project" = String, Path, description = "Id or name"), ("number" = i64, Path), SeriesQuery),
    responses((status = 200, body = Listing<Series>), (status = "4XX", body = Envelope)))]
pub(crate) async fn get_job_series(
    State(app): State<App>,
    principal: Principal,
    Path((project, number)): Path<(String, String)>,
    Query(query): Query<SeriesQuery>,
) -> Result<Json<Listing<Series>>, ApiError> {
    let job = authz::job(&app, &principal, Action::ReadJob, (&project, &number)).await?;
    let points = query.points.unwrap_or(1000);
    if !(2..=10_000).contains(&points) {
        return Err(ApiError::invalid("`points` is a number from 2 to 10000."));
    }
    let window = query.window()?;
    let key = query.key.as_deref();
    let series = app
        .control()
        .job_series(job.id, key, points, window)
        .await?;
    let items = series.into_iter().map(|series| Series {
        key: series.key,
        points: series.points,
        total: series.total,
    });
    Ok(Json(Listing {
        items: items.collect(),
        next: None,
    }))
}
