//! Times every case: `cargo bench -p rp-benches`.

use criterion::{Criterion, criterion_group, criterion_main};

fn all(criterion: &mut Criterion) {
    for mut case in rp_benches::cases() {
        criterion.bench_function(case.name, |bencher| bencher.iter(&mut case.run));
    }
}

criterion_group!(benches, all);
criterion_main!(benches);
