//! Thins a series out as it streams by, keeping its extremes.

use super::Point;

/// Takes the points of a series in order and keeps about as many as were asked for.
pub(super) struct Reducer {
    kept: Vec<Point>,
    total: usize,
    /// How many stretches the points between the first and the last are divided into; 0 keeps every point.
    stretches: usize,
    seen: usize,
    stretch: Stretch,
    last: Option<Point>,
}

#[derive(Default)]
struct Stretch {
    number: usize,
    least: Option<(usize, Point)>,
    greatest: Option<(usize, Point)>,
}

impl Reducer {
    /// For a series of `total` points, of which about `wanted` are kept.
    pub(super) fn new(total: usize, wanted: usize) -> Self {
        let stretches = if total <= wanted.max(4) {
            0
        } else {
            (wanted.max(4) - 2) / 2
        };
        Self {
            kept: Vec::new(),
            total,
            stretches,
            seen: 0,
            stretch: Stretch::default(),
            last: None,
        }
    }

    pub(super) fn add(&mut self, point: Point) {
        let index = self.seen;
        self.seen += 1;
        if self.stretches == 0 || index == 0 {
            self.kept.push(point);
            return;
        }
        if let Some(previous) = self.last.replace(point) {
            self.add_inner(index - 1, previous);
        }
    }

    /// A point that is neither the first nor the last.
    fn add_inner(&mut self, index: usize, point: Point) {
        // A series that grows while it is read has more points than it was said to have: they fall into the last stretch.
        let inner = self.total.saturating_sub(2).max(1);
        let number = ((index - 1) * self.stretches / inner).min(self.stretches - 1);
        if number != self.stretch.number {
            self.close();
            self.stretch.number = number;
        }
        self.stretch.add(index, point);
    }

    fn close(&mut self) {
        let Stretch {
            least, greatest, ..
        } = std::mem::take(&mut self.stretch);
        let (Some(least), Some(greatest)) = (least, greatest) else {
            return;
        };
        let (first, second) = if least.0 <= greatest.0 {
            (least, greatest)
        } else {
            (greatest, least)
        };
        self.kept.push(first.1);
        if first.0 != second.0 {
            self.kept.push(second.1);
        }
    }

    pub(super) fn finish(mut self) -> Vec<Point> {
        self.close();
        self.kept.extend(self.last);
        self.kept
    }
}

impl Stretch {
    /// What is not a number gives way to anything that is one.
    fn add(&mut self, index: usize, point: Point) {
        let better = |held: Option<(usize, Point)>, wins: fn(f64, f64) -> bool| match held {
            Some((_, old)) if old.y.is_nan() <= point.y.is_nan() && !wins(point.y, old.y) => held,
            _ => Some((index, point)),
        };
        self.least = better(self.least, |new, old| new < old);
        self.greatest = better(self.greatest, |new, old| new > old);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reduce(ys: &[f64], wanted: usize) -> Vec<(f64, f64)> {
        let mut reducer = Reducer::new(ys.len(), wanted);
        for (index, y) in ys.iter().enumerate() {
            #[expect(clippy::cast_precision_loss, reason = "small numbers")]
            reducer.add(Point {
                x: index as f64,
                y: *y,
                ms: 0,
            });
        }
        reducer
            .finish()
            .iter()
            .map(|point| (point.x, point.y))
            .collect()
    }

    #[test]
    fn short_series_is_whole() {
        assert_eq!(
            reduce(&[3.0, 1.0, 2.0], 100),
            [(0.0, 3.0), (1.0, 1.0), (2.0, 2.0)]
        );
        assert_eq!(reduce(&[], 100), []);
    }

    #[test]
    fn spikes_first_and_last_stay() {
        let mut ys = vec![0.0; 10_000];
        ys[1234] = 9.0;
        ys[5678] = -9.0;
        ys[9999] = 0.5;
        let kept = reduce(&ys, 100);
        assert!(kept.len() <= 100, "{}", kept.len());
        for point in [(0.0, 0.0), (1234.0, 9.0), (5678.0, -9.0), (9999.0, 0.5)] {
            assert!(kept.contains(&point), "{point:?}");
        }
        assert!(kept.is_sorted_by(|a, b| a.0 < b.0));
    }

    #[test]
    fn nan_does_not_hide_numbers() {
        let mut ys = vec![f64::NAN; 100];
        ys[50] = 1.0;
        assert!(reduce(&ys, 4).contains(&(50.0, 1.0)));
    }

    #[test]
    fn growing_series_ends_with_its_last_point() {
        let mut reducer = Reducer::new(10, 4);
        for x in 0..20_u32 {
            reducer.add(Point {
                x: x.into(),
                y: x.into(),
                ms: 0,
            });
        }
        assert_eq!(reducer.finish().last().map(|point| point.x), Some(19.0));
    }
}
