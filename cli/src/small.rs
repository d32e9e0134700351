//! Small files go many at a time, both ways: a request for each would cost more than its bytes.

/// The largest file that goes with others, in bytes.
const SMALL_BYTES: u64 = 256 * 1024;
const _: () = assert!(SMALL_BYTES <= storage::several::MAX_BYTES);
/// What one request carries at most: files, and bytes. A slow line must get through it within the limit of a request.
const FILES: usize = 512;
const BYTES: u64 = 1 << 20;

/// Parts files into those that go together; a large one goes alone.
pub(crate) fn parted<T>(files: Vec<T>, size: impl Fn(&T) -> u64) -> Vec<Vec<T>> {
    let (mut parts, mut small, mut bytes) = (Vec::new(), Vec::new(), 0);
    for file in files {
        let size = size(&file);
        if size > SMALL_BYTES {
            parts.push(vec![file]);
            continue;
        }
        if small.len() == FILES || bytes + size > BYTES {
            parts.push(std::mem::take(&mut small));
            bytes = 0;
        }
        bytes += size;
        small.push(file);
    }
    if !small.is_empty() {
        parts.push(small);
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_full_and_never_too_large() {
        let sizes = [0, 1, SMALL_BYTES, SMALL_BYTES + 1];
        let parts = parted((0..4_000).map(|at| sizes[at % 4]).collect(), |size| *size);
        assert_eq!(parts.iter().map(Vec::len).sum::<usize>(), 4_000);
        let (large, small): (Vec<_>, Vec<_>) = parts.iter().partition(|part| part[0] > SMALL_BYTES);
        assert!(large.len() == 1_000 && large.iter().all(|part| part.len() == 1));
        for part in &small {
            assert!(part.len() <= FILES && part.iter().sum::<u64>() <= BYTES);
        }
        assert!(small.len() <= 1_000 / 3 + 1, "{}", small.len());
        let parts = parted(vec![0; 1_100], |size| *size);
        assert_eq!(
            parts.iter().map(Vec::len).collect::<Vec<_>>(),
            [512, 512, 76]
        );
        assert!(parted(Vec::<u64>::new(), |size| *size).is_empty());
    }
}
