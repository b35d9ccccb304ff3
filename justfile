# Short names for `cargo xtask`, which does the work.
ci *args:
    cargo xtask ci {{args}}
test *args:
    cargo xtask test {{args}}
tidy:
    cargo xtask tidy
services *args:
    cargo xtask services {{args}}
oracle *files:
    cargo xtask oracle {{files}}
