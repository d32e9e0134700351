//! The part of a series that a zoomed chart shows.

use super::Point;

/// What a window is measured by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Axis {
    /// [`Point::x`].
    Step,
    /// [`Point::ms`].
    Time,
}

/// From where to where on an axis, both included.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Window {
    /// Measured by what.
    pub axis: Axis,
    /// The least value that is shown.
    pub from: f64,
    /// The greatest value that is shown.
    pub to: f64,
}

/// Chooses the points of a window as the series streams by: those inside, and the neighbours to which their line leads.
pub(super) struct View {
    window: Window,
    before: Option<Before>,
}

#[derive(Clone, Copy)]
struct Before {
    point: Point,
    inside: bool,
    shown: bool,
}

impl Window {
    pub(super) fn view(self) -> View {
        View {
            window: self,
            before: None,
        }
    }

    fn holds(self, point: Point) -> bool {
        #[expect(
            clippy::cast_precision_loss,
            reason = "times of day are far below 2^53 ms"
        )]
        let at = match self.axis {
            Axis::Step => point.x,
            Axis::Time => point.ms as f64,
        };
        (self.from..=self.to).contains(&at)
    }
}

impl View {
    /// What to show now that `point` has come: nothing, it, or it and the one before.
    pub(super) fn show(&mut self, point: Point) -> impl Iterator<Item = Point> + use<> {
        let inside = self.window.holds(point);
        let lead = self
            .before
            .filter(|before| inside && !before.shown)
            .map(|before| before.point);
        let shown = inside || self.before.is_some_and(|before| before.inside);
        self.before = Some(Before {
            point,
            inside,
            shown,
        });
        lead.into_iter().chain(shown.then_some(point))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(axis: Axis, xs: &[u32], from: f64, to: f64) -> Vec<f64> {
        let mut view = Window { axis, from, to }.view();
        xs.iter()
            .flat_map(|x| {
                view.show(Point {
                    x: f64::from(*x),
                    y: 0.0,
                    ms: i64::from(*x) * 1000,
                })
            })
            .map(|point| point.x)
            .collect()
    }

    #[test]
    fn a_window_shows_its_points_and_their_neighbours() {
        let xs = [0, 1, 2, 3, 4, 5, 6];
        assert_eq!(shown(Axis::Step, &xs, 2.0, 3.5), [1.0, 2.0, 3.0, 4.0]);
        assert_eq!(shown(Axis::Step, &xs, 0.0, 0.0), [0.0, 1.0]);
        assert_eq!(shown(Axis::Time, &xs, 5500.0, 9000.0), [5.0, 6.0]);
        assert!(shown(Axis::Step, &xs, 7.0, 9.0).is_empty());
    }

    #[test]
    fn a_series_that_goes_back_is_shown_each_time_it_passes() {
        let xs = [0, 5, 9, 5, 0];
        assert_eq!(shown(Axis::Step, &xs, 4.0, 6.0), [0.0, 5.0, 9.0, 5.0, 0.0]);
    }
}
