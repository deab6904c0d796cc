//! See `raincheck_fuzz::proxy_protocol`.
#![cfg_attr(fuzzing, no_main)]

raincheck_fuzz::target!(raincheck_fuzz::proxy_protocol);
