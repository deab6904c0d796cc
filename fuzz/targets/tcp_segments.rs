//! See `raincheck_fuzz::tcp_segments`.
#![cfg_attr(fuzzing, no_main)]

raincheck_fuzz::target!(raincheck_fuzz::tcp_segments);
