#!/usr/bin/env bash
# The gate, the same here and in CI. Without arguments all steps run, in this order; with arguments only those.
#
#   ./ci.sh                 everything; installs the Debian packages and cargo tools that it needs (as root)
#   ./ci.sh format lint     only these steps
set -euo pipefail
cd "$(dirname "$0")"

STEPS=(format lint docs tests demo examples package no_std deny peers fuzz instructions)

# What the peer tests run against, all from Debian.
PACKAGES=(
    curl wrk nginx-light haproxy                        # http
    chromium chromium-driver python3-websockets
    ldap-utils slapd libsasl2-modules python3-ldap3     # ldap
    kamailio kamailio-tls-modules sip-tester socat      # sip
    baresip-core sipvicious
    tshark                                              # h323
    systemd                                             # sockets that are passed
    coturn                                              # turn
    openssl python3 python3-venv
    prometheus                                          # metrics
    python3-jsonschema                                  # the schema of the configuration
    valgrind                                            # instructions
)
PYCRATE=0.8.1
# A gate must say the same twice: a fixed seed. Longer runs with other seeds are for those who look for something.
FUZZ_SECONDS=${FUZZ_SECONDS:-8}
FUZZ_SEED=${FUZZ_SEED:-1}

export CARGO_TERM_COLOR=${CARGO_TERM_COLOR:-never}
export CARGO_INCREMENTAL=0
# What `rpd --version` tells; for every step, because each change of it is another build.
RPD_COMMIT=$(git rev-parse --short=12 HEAD 2>/dev/null || echo unknown)
export RPD_COMMIT

step_format() {
    cargo fmt --all --check
    cargo fmt --check --manifest-path fuzz/Cargo.toml
}

step_lint() {
    cargo clippy --workspace --all-targets --all-features -- -D warnings
    # Each crate by itself: no feature may lean on another crate's.
    local crate
    for crate in rp-h323 rp-sip rp-http rp-ldap rp-route rp-guard; do
        cargo clippy -p "$crate" --all-targets -- -D warnings
    done
}

step_docs() {
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --all-features
}

step_tests() {
    RPD_TEST_KILLS=1000 cargo test --workspace
    cargo test -p rp-h323 -p rp-ldap --all-features
}

step_demo() {
    cargo run --release -p rpd -- demo --check
}

step_examples() {
    cargo build --release -p rpd
    local example
    for example in bins/rpd/examples/*.toml; do
        "$(target_folder)/release/rpd" check "$example"
    done
}

# The Debian package: what is in it, what its configuration does as it stands, and how far its unit is shut in.
step_package() {
    command -v cargo-deb >/dev/null || cargo install --locked cargo-deb
    local folder rpd
    folder=$(target_folder)
    rpd=$folder/release/rpd
    cargo build --release -p rpd
    "$rpd" --version | grep -F "commit $RPD_COMMIT"
    mkdir -p target
    "$rpd" man target/man
    "$rpd" check dist/rpd.toml
    cargo deb -p rpd --no-build --output "$folder/rpd.deb"
    local content path
    content=$(dpkg-deb --contents "$folder/rpd.deb")
    for path in usr/bin/rpd etc/rpd/rpd.toml usr/lib/systemd/system/rpd.service usr/lib/systemd/system/rpd.socket \
        usr/lib/sysusers.d/rpd.conf usr/share/man/man1/rpd.1.gz usr/share/doc/rpd/OPERATING.md \
        usr/share/doc/rpd/rpd.schema.json \
        usr/share/doc/rpd/examples; do
        grep -qF "./$path" <<<"$content" || { echo "the package has no $path"; return 1; }
    done
    dpkg-deb --info "$folder/rpd.deb" conffiles | grep -qx /etc/rpd/rpd.toml
    if dpkg-deb --info "$folder/rpd.deb" postinst | grep -Eq 'systemctl (enable|start|restart)'; then
        echo "the package enables or starts the service"
        return 1
    fi
    if command -v systemd-analyze >/dev/null; then
        systemd-analyze security --offline=true --threshold=16 dist/rpd.service | tail -1
    fi
}

# The parser crates without std. A program without std that links them all proves it: if any of them brought std
# in, it would bring a second panic handler, and the link would fail.
step_no_std() {
    local folder
    folder=$(target_folder)/no_std
    mkdir -p "$folder/src"
    cat >"$folder/Cargo.toml" <<END
[package]
name = "no_std"
version = "0.0.0"
edition = "2024"

[lib]
crate-type = ["staticlib"]

[dependencies]
rp-h323 = { path = "$PWD/crates/rp-h323" }
rp-http = { path = "$PWD/crates/rp-http" }
rp-ldap = { path = "$PWD/crates/rp-ldap" }
rp-sip = { path = "$PWD/crates/rp-sip" }

[profile.dev]
panic = "abort"

[workspace]
END
    cat >"$folder/src/lib.rs" <<'END'
#![no_std]

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

#[unsafe(no_mangle)]
pub extern "C" fn decided() -> bool {
    rp_h323::extract(b"").is_ok() | rp_sip::extract(b"").is_ok() | rp_http::extract(b"").is_ok() | rp_ldap::extract(b"").is_ok()
}
END
    cargo build --manifest-path "$folder/Cargo.toml" --target-dir "$folder/target"
}

step_deny() {
    command -v cargo-deny >/dev/null || cargo install --locked cargo-deny
    cargo deny --all-features check bans licenses sources
    # The advisory database is a git repository. Where it can be had it must have nothing against us.
    if cargo deny fetch db; then
        cargo deny --all-features check --disable-fetch advisories
    else
        echo "advisories: not checked, because the database cannot be fetched from here"
    fi
}

step_peers() {
    packages
    # The whole workspace, so that nothing is built twice; these files are all of rpd's.
    cargo test --workspace --test 'peers_*' --test metrics --test schema --test store -- --ignored --test-threads=2
}

step_fuzz() {
    rustup toolchain list | grep -q nightly || rustup toolchain install nightly --profile minimal
    command -v cargo-fuzz >/dev/null || cargo install --locked cargo-fuzz
    local target
    for target in $(cargo +nightly fuzz list); do
        echo "--- fuzz $target"
        seed "$target"
        cargo +nightly fuzz run --target-dir "$(target_folder)/fuzz" "$target" -- \
            -seed="$FUZZ_SEED" -max_total_time="$FUZZ_SECONDS" -max_len=8192 -rss_limit_mb=2048 -verbosity=0 -print_final_stats=1
    done
}

# What a message, and a connection through the release build, may cost: 5 % above benches/instructions.txt fails.
step_instructions() {
    packages
    cargo build --release -p rpd -p rp-benches --bins
    "$(target_folder)/release/instructions" --check
}

# The vectors of the tests are where fuzzing begins.
seed() {
    local folder="fuzz/corpus/$1" crate="crates/rp-${1%%_*}/tests/corpus"
    mkdir -p "$folder"
    if [ -d "$crate" ]; then
        find "$crate" -type f ! -name '*.json' ! -name '*.md' ! -name '*.txt' -size -64k -exec cp -n -t "$folder" {} +
    fi
}

packages() {
    local missing=() package
    for package in "${PACKAGES[@]}"; do
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
    done
    if [ ${#missing[@]} -gt 0 ]; then
        apt-get update -qq
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
    fi
    # The independent H.323 endpoint is a script on pycrate; Debian wants such things in an environment of their own.
    local venv
    venv=$(target_folder)/venv
    [ -x "$venv/bin/python3" ] || python3 -m venv "$venv"
    "$venv/bin/python3" -c "import pycrate_asn1dir.H225" 2>/dev/null || "$venv/bin/pip" install -q "pycrate==$PYCRATE"
    export PATH="$venv/bin:$PATH"
}

target_folder() {
    echo "${CARGO_TARGET_DIR:-$PWD/target}"
}

if [ $# -gt 0 ]; then STEPS=("$@"); fi
for step in "${STEPS[@]}"; do
    echo "=== $step"
    start=$SECONDS
    "step_$step"
    echo "=== $step: done in $((SECONDS - start)) s"
done
echo "steps: ${#STEPS[@]} passed, 0 failed"
