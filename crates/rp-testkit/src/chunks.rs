//! Ways to cut an input, as TCP does.

/// Inputs up to this length are cut at every offset.
const DENSE: usize = 512;

/// The sizes of the pieces of several cuttings of `len` octets: whole, octet by octet, in pieces of 2, 3
/// and 7, doubling, and cut once at every offset (longer inputs: at 512 offsets spread over them).
/// Each cutting adds up to `len`.
pub fn sizes(len: usize) -> Vec<Vec<usize>> {
    let mut all = vec![vec![len]];
    if len <= 64 * 1024 {
        all.extend([1, 2, 3, 7].map(|size| pieces_of(len, size)));
    }
    all.push(doubling(len));
    all.extend((1..len).step_by((len / DENSE).max(1)).map(|at| vec![at, len - at]));
    all
}

/// The pieces of `input` for one of the cuttings of [`sizes`].
pub fn cut<'a>(mut input: &'a [u8], sizes: &[usize]) -> Vec<&'a [u8]> {
    sizes
        .iter()
        .map(|&size| {
            let (piece, rest) = input.split_at(size);
            input = rest;
            piece
        })
        .collect()
}

fn pieces_of(len: usize, size: usize) -> Vec<usize> {
    let mut sizes = vec![size; len / size];
    if !len.is_multiple_of(size) {
        sizes.push(len % size);
    }
    sizes
}

fn doubling(len: usize) -> Vec<usize> {
    let mut sizes = Vec::new();
    let (mut left, mut next) = (len, 1);
    while left > 0 {
        let size = next.min(left);
        sizes.push(size);
        left -= size;
        next *= 2;
    }
    sizes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cutting_adds_up() {
        for len in [0, 1, 2, 9, 700, 5000] {
            for sizes in sizes(len) {
                assert_eq!(sizes.iter().sum::<usize>(), len);
            }
        }
    }
}
