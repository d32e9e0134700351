//! Which snapshots of a home are kept: the last few, then one for each hour of a day, then one for each day of two weeks.

/// The newest are kept, whenever they were taken.
const LAST: usize = 6;
const HOUR_MS: i64 = 3_600_000;
const HOURS: i64 = 24;
const DAY_MS: i64 = 24 * HOUR_MS;
const DAYS: i64 = 14;

/// Says of each snapshot, given by its time and newest first, whether it is kept. Times are ms; ages count from the newest.
pub(super) fn keep(times: &[i64]) -> Vec<bool> {
    let newest = times.first().copied().unwrap_or_default();
    times
        .iter()
        .enumerate()
        .map(|(place, time)| {
            let age_ms = newest - time;
            // The oldest of an hour stands for it: it stays the same one while newer ones come and go.
            let older = times.get(place + 1);
            let oldest_of = |span| older.is_none_or(|older| older / span != time / span);
            place < LAST
                || (age_ms < HOURS * HOUR_MS && oldest_of(HOUR_MS))
                || (age_ms < DAYS * DAY_MS && oldest_of(DAY_MS))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_of_snapshots_every_ten_minutes_becomes_a_few() {
        let mut kept: Vec<i64> = Vec::new();
        for n in 0..30 * 24 * 6 {
            kept.insert(0, n * 600_000);
            let keep = keep(&kept);
            let mut keep = keep.into_iter();
            kept.retain(|_| keep.next().unwrap());
            assert!(kept.len() <= LAST + 25 + 15, "{}", kept.len());
        }
        let newest = kept[0];
        assert!(kept.iter().any(|time| newest - time > 12 * DAY_MS));
        for hour in 1..23 {
            let (from, to) = (newest - (hour + 1) * HOUR_MS, newest - (hour - 1) * HOUR_MS);
            assert!(kept.iter().any(|time| (from..to).contains(time)));
        }
    }

    #[test]
    fn the_last_few_are_kept_however_close() {
        assert_eq!(keep(&[5, 4, 3]), [true; 3]);
        assert_eq!(keep(&[]), [true; 0]);
    }
}
